"""Tables as people send them: their headings, spellings, circles and mistakes, and a balance that always adds up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import event, select

from comptoir.base.headings import HEADINGS
from comptoir.base.models import Contact, Interaction
from comptoir.context import Context
from comptoir.errors import RuleViolation
from comptoir.records.transfer import ImportReport, Problem, import_table, parse_mapping, read_table
from comptoir.records.write import save
from comptoir_catalog.models import Product
from comptoir_sales.models import Deal

pytestmark = pytest.mark.modules("catalog", "sales")

Take = Callable[..., tuple[ImportReport, list[Problem]]]


@pytest.fixture
def take(ctx: Context, tmp_path: Path) -> Take:
    """Import a text as a table; the report, and every problem and notice."""

    def run(
        content: str, *maps: str, type_: str = "base.contact", key: str | None = None
    ) -> tuple[ImportReport, list[Problem]]:
        path = tmp_path / "table.csv"
        path.write_text(content, encoding="utf-8")
        declared = ctx.registry.record_type(type_)
        table = read_table(path)
        problems: list[Problem] = []
        mapping = parse_mapping(ctx, declared, table.columns, maps)
        report = import_table(ctx, declared, table, mapping, key=key, listen=lambda p, _cells: problems.append(p))
        assert report.created + report.updated + report.skipped + report.failed == report.rows
        return report, problems

    return run


def only(ctx: Context) -> Contact:
    return ctx.session.scalars(select(Contact)).one()


# -- headings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headings",
    [
        "Name,Phone,Email,Street,Postal code,City,Country",
        "Nume,Telefon,E-mail,Stradă,Cod poștal,Oraș,Țară",
        "Bedrijfsnaam,Telefoonnummer,E-mailadres,Straat,Postcode,Plaats,Land",
        "Şirkət adı,Telefon nömrəsi,E-poçt,Küçə,Poçt indeksi,Şəhər,Ölkə",
        "Име на фирма,Телефон,Имейл,Улица,Пощенски код,Град,Държава",
        "Nazwa firmy,Numer telefonu,Adres e-mail,Ulica,Kod pocztowy,Miasto,Kraj",
    ],
)
def test_usual_headings_of_six_languages_find_their_fields(ctx: Context, take: Take, headings: str) -> None:
    report, problems = take(
        f"{headings}\nDe Linde,06 12345678,info@linde.example,Kade 1,1012 AB,Amsterdam,Netherlands\n"
    )
    assert (report.created, report.unused, problems) == (1, (), [])
    made = only(ctx)
    [address] = made.addresses
    assert (made.name, made.city, made.country) == ("De Linde", "Amsterdam", "NL")
    assert (address.street, address.postal_code, address.city) == ("Kade 1", "1012 AB", "Amsterdam")
    assert [line.number for line in made.phones] == ["+31612345678"]
    assert [line.address for line in made.emails] == ["info@linde.example"]


def test_a_city_without_a_street_is_the_contacts_own(ctx: Context, take: Take) -> None:
    take("Name,City\nA,Cluj\n")
    assert (only(ctx).city, only(ctx).addresses) == ("Cluj", [])


def test_several_numbers_are_lines_with_their_labels_and_an_empty_one_leaves_no_gap(ctx: Context, take: Take) -> None:
    rows = "Name,Phone,Phone 2,Mobile,Fax,Email 1,Email 2\nA,,021 555 0101,0744 123 456,021 555 0102,,a@b.example\n"
    for _again in range(2):
        take(rows, *(), key="name")
    made = only(ctx)
    assert [(line.label, line.number) for line in made.phones] == [
        ("work", "+40215550101"), ("mobile", "+40744123456"), ("fax", "+40215550102"),
    ]  # fmt: skip
    assert [line.address for line in made.emails] == ["a@b.example"]
    assert made.version == 1


def test_a_label_finds_its_line_among_those_there_are(ctx: Context, take: Take) -> None:
    take("Name,Work phone,Mobile\nA,021 555 0101,0744 123 456\n")
    report, _problems = take("Name,Mobile\nA,0744 123 457\n", key="name")
    assert report.updated == 1
    assert {line.label: line.number for line in only(ctx).phones} == {"work": "+40215550101", "mobile": "+40744123457"}


def test_a_company_beside_a_name_is_what_the_person_is_part_of(ctx: Context, take: Take) -> None:
    save(ctx, [Contact(name="Mega Fruct SRL")])
    take("Name,Company\nElena Popa,Mega Fruct SRL\n")
    person = ctx.session.scalars(select(Contact).where(Contact.name == "Elena Popa")).one()
    assert person.parent_id is not None


def test_every_usual_heading_leads_to_a_field(ctx: Context) -> None:
    declared = ctx.registry.record_type("base.contact")
    assert sum(map(len, HEADINGS.values())) >= 200
    for path, headings in HEADINGS.items():
        parse_mapping(ctx, declared, ["a column"], [f"a column={path}"])
        for heading in headings:
            assert parse_mapping(ctx, declared, [heading]).targets, heading


@pytest.mark.parametrize(
    ("columns", "maps", "named"),
    [
        ("city,town", ("city=city", "town=city"), ("city", "town")),
        ("a,b,c", ("a=name", "b=phones.number", "c=phones.0.number"), ("b", "c")),
        ("a,b,c", ("a=name", "b=parent", "c=parent.tax_number"), ("b", "c")),
        ("City,Oraș,Name", (), ("City", "Oraș")),
        ("City,Oraș,Name,Street", (), ("City", "Oraș")),
    ],
)
def test_two_columns_for_one_field_are_refused(
    take: Take, columns: str, maps: tuple[str, ...], named: tuple[str, str]
) -> None:
    with pytest.raises(RuleViolation) as refused:
        take(f"{columns}\n1,2,3\n", *maps)
    assert all(f"“{column}”" in str(refused.value) for column in named)


def test_a_label_that_there_is_not_is_refused(take: Take) -> None:
    with pytest.raises(RuleViolation) as refused:
        take("name,b\nA,1\n", "name=name", "b=phones.satellite.number")
    assert "phones.satellite.number" in str(refused.value)


# -- spellings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "amount", "currency"),
    [
        ("$5", "5", "USD"), ("5 EUR", "5", "EUR"), ("€ 1.234,50", "1234.50", "EUR"), ("1 234,50 zł", "1234.50", "PLN"),
        ("(12)", "-12", "EUR"), ("($12.50)", None, None), ("5 lei", "5", "RON"), ("12.50", "12.50", "EUR"), ("-5 RON", "-5", "RON"),
        ("5 XXQ", None, None), ("5 pieces", None, None), ("EUR", None, None),
    ],
)  # fmt: skip
def test_an_amount_brings_its_currency(
    ctx: Context, take: Take, typed: str, amount: str | None, currency: str | None
) -> None:
    report, problems = take(f'name;annual_revenue\nA;"{typed}"\n')
    if amount is None:
        assert (report.failed, problems[0].column) == (1, "annual_revenue")
    else:
        assert (only(ctx).annual_revenue, only(ctx).currency) == (Decimal(amount), currency)


def test_an_amount_in_another_currency_than_its_row_is_refused(ctx: Context, take: Take) -> None:
    report, problems = take("name,annual_revenue,currency\nA,5 USD,EUR\nB,5 EUR,EUR\nC,5 EUR,\n")
    assert (report.created, report.failed) == (2, 1)
    assert (problems[0].line, problems[0].column) == (2, "annual_revenue")
    assert "USD" in problems[0].message


def test_a_count_has_no_currency(take: Take) -> None:
    report, _problems = take("name,employees\nA,$5\n")
    assert report.failed == 1


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("www.example.org", "https://www.example.org"), ("example.org/shop?a=1", "https://example.org/shop?a=1"),
        ("http://example.org", "http://example.org"),
    ],
)  # fmt: skip
def test_an_address_of_the_web_needs_no_scheme(ctx: Context, take: Take, typed: str, kept: str) -> None:
    take(f"name,website\nA,{typed}\n")
    assert only(ctx).website == kept


@pytest.mark.parametrize(
    "typed", ["Dan <d@example.org>", "<d@example.org>", "mailto:d@example.org", '"""Pop, Dan"" <d@example.org>"']
)
def test_an_address_may_stand_behind_a_name(ctx: Context, take: Take, typed: str) -> None:
    take(f"name,email\nA,{typed}\n")
    assert [line.address for line in only(ctx).emails] == ["d@example.org"]


@pytest.mark.parametrize("typed", ["ask me", "a@b.example; c@d.example", "Dan <nobody>"])
def test_what_is_no_address_is_refused_at_its_cell(take: Take, typed: str) -> None:
    report, problems = take(f"name,email\nA,{typed}\n")
    assert (report.failed, problems[0].column) == (1, "email")


@pytest.mark.parametrize("typed", ["22.11.2026 14:30", "22/11/26", "22.11.26", "22-11-26", "22.11.2026 14:30:59", "2026-11-22 09:00", "22/11/2026 2:30 PM"])  # fmt: skip
def test_a_day_may_have_a_time_or_two_digits_for_its_year(ctx: Context, take: Take, typed: str) -> None:
    take(f"name,closes\nA,{typed}\n", "name=name", "closes=expected_close_on", type_="sales.deal")
    assert ctx.session.scalars(select(Deal.expected_close_on)).one() == dt.date(2026, 11, 22)


def test_a_moment_keeps_its_time(ctx: Context, take: Take) -> None:
    save(ctx, [Contact(name="A")])
    rows = "subject,who,at\nx,A,22.11.2026 14:30\ny,A,22.11.26 2:30 pm\nz,A,22.11.2026 25:00\n"
    report, problems = take(rows, "subject=subject", "who=contact", "at=happened_at", type_="base.interaction")
    assert (report.created, report.failed, problems[0].line) == (2, 1, 4)
    [at] = set(ctx.session.scalars(select(Interaction.happened_at)))
    assert at == dt.datetime(2026, 11, 22, 12, 30, tzinfo=dt.UTC)


def test_a_number_that_cannot_be_read_is_kept_and_mentioned_at_its_row(ctx: Context, take: Take) -> None:
    report, [notice] = take("Name,Phone,Country\nA,06 12345678,\nB,06 12345678,NL\n")
    assert report.created == 2
    assert (notice.line, notice.column, notice.is_notice) == (2, "Phone", True)
    assert "06 12345678" in notice.message


# -- rows ---------------------------------------------------------------------------------------------------------------


def test_a_row_without_anything_in_its_columns_makes_no_record(ctx: Context, take: Take) -> None:
    report, [notice] = take("name,comptoir message\n,Fill in Name.\nB,\n")
    assert (report.created, report.skipped, notice.line) == (1, 1, 2)
    assert only(ctx).name == "B"


def test_the_columns_of_the_file_of_failed_rows_are_passed_over(take: Take) -> None:
    report, _problems = take("comptoir line,comptoir column,comptoir message,name\n3,name,Wrong.,B\n")
    assert (report.created, report.unused) == (1, ())


def test_rows_that_lie_below_each_other_are_named_and_the_others_stay(ctx: Context, take: Take) -> None:
    rows = "name,parent\nA,B\nB,C\nC,A\nD,D\nE,A\nF,G\nG,\n"
    report, problems = take(rows)
    failed = {problem.line: problem for problem in problems if not problem.is_notice}
    assert set(failed) == {2, 3, 4, 5}
    assert (
        "A → B → C → A" in failed[2].message
        or "B → C → A → B" in failed[2].message
        or "C → A → B → C" in failed[2].message
    )
    assert all(problem.column == "parent" for problem in failed.values())
    assert (report.created, report.failed) == (3, 4)
    assert [problem.line for problem in problems if problem.is_notice] == [6]
    contacts = {contact.name: contact for contact in ctx.session.scalars(select(Contact))}
    assert set(contacts) == {"E", "F", "G"}
    assert contacts["F"].parent_id == contacts["G"].id
    assert contacts["F"].version == 1


def test_known_contacts_that_would_lie_below_each_other_fail_alone(ctx: Context, take: Take) -> None:
    save(ctx, [Contact(name="A"), Contact(name="B"), Contact(name="C")])
    report, problems = take("name,parent\nA,B\nB,A\nC,A\n", key="name")
    assert (report.updated, report.failed) == (2, 1)
    assert (problems[0].line, problems[0].column) == (3, "parent")


def test_a_long_chain_that_stands_upside_down_is_saved_from_its_end(ctx: Context, take: Take) -> None:
    rows = "".join(f"N{number},N{number + 1}\n" for number in range(60))
    report, problems = take(f"name,parent\n{rows}N60,\n")
    assert (report.created, problems) == (61, [])
    assert ctx.session.scalars(select(Contact).where(Contact.parent_id.is_(None))).one().name == "N60"


def test_a_key_that_comes_again_while_its_row_waits_keeps_the_order_of_the_file(ctx: Context, take: Take) -> None:
    report, _problems = take("name,parent,city\nA,B,first\nA,,second\nB,,\n", key="name")
    assert (report.created, report.updated) == (2, 1)
    assert ctx.session.scalars(select(Contact.city).where(Contact.name == "A")).one() == "second"


def test_a_few_rows_at_fault_do_not_make_the_others_pay(ctx: Context, take: Take) -> None:
    counted: list[str] = []
    event.listen(ctx.session.get_bind(), "after_cursor_execute", lambda *given: counted.append(given[2]))

    def statements(bad: set[int], prefix: str) -> int:
        rows = "".join(f"{prefix}{n},{'eur' if n in bad else 'EUR'}\n" for n in range(3000))
        counted.clear()
        maps = ("code=code", "code=name", "currency=currency")
        report, problems = take(f"code,currency\n{rows}", *maps, type_="catalog.product")
        assert [problem.line - 2 for problem in problems] == sorted(bad)
        assert report.created == 3000 - len(bad)
        return len(counted)

    clean = statements(set(), "clean")
    bad = {249, 749, 1249, 1749, 2249, 2749}
    assert (statements(bad, "bad") - clean) / len(bad) < 200
    assert ctx.session.scalars(select(Product.id).where(Product.code == "bad249")).all() == []


def test_a_value_that_cannot_be_kept_is_refused_before_its_batch_is_saved(ctx: Context, take: Take) -> None:
    rows = "".join(f"N{n},{'nobody' if n == 3 else 'a@b.example'},{-1 if n == 5 else 1}\n" for n in range(8))
    savepoints: list[bool] = []
    event.listen(ctx.session, "after_transaction_create", lambda _session, made: savepoints.append(made.nested))
    report, problems = take(f"name,email,employees\n{rows}")
    assert (report.created, [problem.line for problem in problems]) == (6, [5, 7])
    assert [problem.column for problem in problems] == ["email", "employees"]
    assert sum(savepoints) == 1
