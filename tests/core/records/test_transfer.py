"""Tables in and out: what an import understands, what it refuses and where it says so, and that an export comes back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, func, select

from comptoir.access.models import User
from comptoir.base.models import Contact
from comptoir.context import Context
from comptoir.errors import RuleViolation
from comptoir.records.history import HistoryEntry
from comptoir.records.query import parse
from comptoir.records.transfer import (
    ImportReport,
    Problem,
    export_records,
    import_table,
    parse_mapping,
    read_table,
)
from comptoir.records.transfer.formulas import neutralised, restored
from comptoir.records.write import save
from comptoir.testing.platform import Stage
from comptoir_catalog.models import Product

pytestmark = pytest.mark.modules("catalog", "sales")

Import = Callable[..., tuple[ImportReport, list[Problem]]]


def imported(
    ctx: Context, folder: Path, content: bytes | str, *maps: str, type_: str = "base.contact", key: str | None = None,
    name: str = "table.csv", encoding: str | None = None,
) -> tuple[ImportReport, list[Problem]]:  # fmt: skip
    """Import a file's content; the report and every problem and notice."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    declared = ctx.registry.record_type(type_)
    table = read_table(path, encoding=encoding)
    problems: list[Problem] = []
    mapping = parse_mapping(ctx, declared, table.columns, maps)
    report = import_table(ctx, declared, table, mapping, key=key, listen=lambda p, _cells: problems.append(p))
    assert report.created + report.updated + report.skipped + report.failed == report.rows
    return report, problems


def names(ctx: Context) -> list[str]:
    return list(ctx.session.scalars(select(Contact.name).order_by(Contact.id)))


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "Țuică și Mărar"), ("utf-8-sig", "Țuică"), ("utf-16", "Zoë Müller"), ("cp1250", "Łódź Śląska Żółć"),
        ("iso-8859-2", "Kovács Ödön őűěčř"), ("cp1251", "Магазин Витоша"), ("cp1254", "Işık Öğüt Şirketi"),
        ("cp1252", "Café Crème Français"),
    ],
)  # fmt: skip
def test_a_file_in_any_common_encoding_is_read(ctx: Context, tmp_path: Path, encoding: str, name: str) -> None:
    rows = "".join(f"{name} {number};Cluj\n" for number in range(20))
    report, _problems = imported(ctx, tmp_path, f"name;city\n{rows}".encode(encoding))
    assert report.created == 20
    assert names(ctx)[0] == f"{name} 0"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_file_with_any_common_separator_is_read(ctx: Context, tmp_path: Path, separator: str) -> None:
    text = separator.join(("name", "city")) + "\r\n" + separator.join(('"Mega; Fruct, SRL | \t"', "Cluj")) + "\r\n"
    imported(ctx, tmp_path, text)
    assert names(ctx) == ["Mega; Fruct, SRL |"]


def test_a_workbook_is_read_with_its_types(ctx: Context, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["name", "employees", "annual_revenue"])
    sheet.write_row(1, 0, ["Mega Fruct SRL", 12, 1234.5])
    book.close()
    report, _problems = imported(ctx, tmp_path, buffer.getvalue(), name="table.xlsx")
    contact = ctx.session.scalars(select(Contact)).one()
    assert (report.created, contact.employees, contact.annual_revenue) == (1, 12, Decimal("1234.5"))


def test_json_with_nested_lines_is_read(ctx: Context, tmp_path: Path) -> None:
    content = json.dumps([{"name": "A", "phones": [{"number": "+40722000111"}, {"number": "+40722000112"}]}])
    imported(ctx, tmp_path, content, name="table.json")
    contact = ctx.session.scalars(select(Contact)).one()
    assert [line.number for line in contact.phones] == ["+40722000111", "+40722000112"]


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "a.csv", "empty"),
        (b"   \n", "a.csv", "empty"),
        (b"a,b\x00\x00\x01\x02,c\n1,2,3", "a.csv", "NUL"),
        (b"name,name\na,b\n", "a.csv", "two columns called name"),
        (b"{not json", "a.json", "JSON"),
        (b'{"data": 3}', "a.json", "list of objects"),
        (b"PK\x03\x04broken", "a.xlsx", "workbook"),
        (b"\xd0\xcf\x11\xe0broken", "a.xls", "workbook"),
        (b"name\n" + b"x" * 2_000_000 + b"\n", "a.csv", "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_reason(
    ctx: Context, tmp_path: Path, content: bytes, name: str, says: str
) -> None:
    with pytest.raises(RuleViolation) as refused:
        imported(ctx, tmp_path, content, name=name)
    assert says in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuleViolation) as refused:
        read_table(tmp_path / "gone.csv")
    assert "gone.csv" in str(refused.value)


@pytest.mark.parametrize("encoding", ["no-such-encoding", "ascii", "utf-16"])
def test_a_wrong_encoding_is_said_with_its_cure(ctx: Context, tmp_path: Path, encoding: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        imported(ctx, tmp_path, "name,city\nȚuică,Cluj\nx,y\n", encoding=encoding)
    assert encoding in str(refused.value)


@pytest.mark.parametrize(
    ("maps", "says"),
    [
        (("gone=name",), "There is no column “gone”"),
        (("name=nmae",), "Close to it: name"),
        (("name",), "Write Column=field"),
        (("name=name*many",), "no number to multiply"),
        (("name=parent.nothing",), "no field parent.nothing"),
    ],
)
def test_a_wrong_mapping_is_said_with_its_cure(ctx: Context, tmp_path: Path, maps: tuple[str, ...], says: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        imported(ctx, tmp_path, "name,city\nA,Cluj\n", *maps)
    assert says in str(refused.value)


def test_a_missing_column_is_said_with_those_there_are(ctx: Context, tmp_path: Path) -> None:
    with pytest.raises(RuleViolation) as refused:
        imported(ctx, tmp_path, "whatever,something\nA,Cluj\n")
    assert "--map" in str(refused.value)


def test_a_row_that_fails_is_named_and_keeps_no_other_from_being_good(ctx: Context, tmp_path: Path) -> None:
    rows = "name,employees,kind\nGood,12,company\n,3,company\nBad number,many,company\nBad kind,1,club\nAlso good,4,person\n"
    report, problems = imported(ctx, tmp_path, rows)
    assert (report.created, report.failed) == (2, 3)
    assert {(problem.line, problem.column) for problem in problems} == {(3, "name"), (4, "employees"), (5, "kind")}
    assert names(ctx) == ["Good", "Also good"]


@pytest.mark.parametrize("cell", ["Mega\x01Fruct", "\ufffd", "<script>", "=cmd()", "🦄", "\u200fעברית", "a" * 255])
def test_any_text_in_a_cell_is_kept_or_named(ctx: Context, tmp_path: Path, cell: str) -> None:
    report, problems = imported(ctx, tmp_path, f"name,city\n{cell},x\n")
    assert (report.created == 1 and names(ctx) == [" ".join(cell.split())]) or problems


def test_a_row_with_too_many_cells_fails_alone(ctx: Context, tmp_path: Path) -> None:
    report, [problem] = imported(ctx, tmp_path, "name,city\nA,B,C,D\nE,F\n")
    assert (report.created, report.failed, problem.line) == (1, 1, 2)
    assert "4 cells" in problem.message


def test_by_its_key_a_row_updates_and_again_changes_nothing(ctx: Context, tmp_path: Path) -> None:
    first = "code,name,price\nC1,Cold room,100\nC2,Oven,200\n"
    imported(ctx, tmp_path, first, type_="catalog.product", key="code")
    entries = select(func.count()).where(HistoryEntry.record_type == "catalog.product")
    before = ctx.session.scalar(entries)
    report, _problems = imported(ctx, tmp_path, first, type_="catalog.product", key="code")
    assert (report.created, report.updated, report.skipped) == (0, 0, 2)
    assert ctx.session.scalar(entries) == before
    report, _problems = imported(
        ctx, tmp_path, "code,name,price\nC1,Cold room,110\nC2,Oven,\n", type_="catalog.product", key="code"
    )
    assert (report.updated, report.skipped) == (1, 1)
    products = {p.code: (p.price, p.version) for p in ctx.session.scalars(select(Product))}
    assert products == {"C1": (Decimal(110), 2), "C2": (Decimal(200), 1)}


def test_more_rows_send_no_more_statements_whether_they_are_there_or_not(ctx: Context, tmp_path: Path) -> None:
    maps = ("name=name", "code=tax_number", "phone=phones.number", "email=emails.address")

    def statements(first: int, count: int, city: str) -> int:
        rows = "".join(f"P{n},T{n},+40721{n:06d},p{n}@x.ro,{city}\n" for n in range(first, first + count))
        sent: list[str] = []
        listener = lambda _c, _cursor, statement, *_rest: sent.append(statement)  # noqa: E731
        ctx.session.expunge_all()
        event.listen(Engine, "before_cursor_execute", listener)
        try:
            imported(ctx, tmp_path, f"name,code,phone,email,city\n{rows}", *maps, "city=city", key="tax_number")
        finally:
            event.remove(Engine, "before_cursor_execute", listener)
        return len(sent)

    assert statements(0, 25, "Iași") == statements(100, 60, "Iași")
    assert statements(0, 25, "Iași") == statements(100, 60, "Iași")  # nothing changes


def test_the_words_of_a_cell_are_tags_and_what_cannot_be_one_is_told(ctx: Context, tmp_path: Path) -> None:
    report, problems = imported(
        ctx,
        tmp_path,
        'name,words\nMega Fruct,"HoReCa; key account, HoReCa"\nCafenea,"so ""called"""\n',
        "name=name",
        "words=tags",
    )
    assert {c.name: c.tags for c in ctx.session.scalars(select(Contact))} == {"Mega Fruct": ["HoReCa", "key account"]}
    assert (report.created, report.failed, [p.line for p in problems]) == (1, 1, [3])


def test_a_key_that_comes_twice_in_the_file_updates_what_the_first_made(ctx: Context, tmp_path: Path) -> None:
    report, _problems = imported(
        ctx, tmp_path, "code,name\nC1,Cold room\nC1,Cold room\nC1,Cold room XL\n", type_="catalog.product", key="code"
    )
    assert (report.created, report.skipped, report.updated) == (1, 1, 1)
    assert ctx.session.scalars(select(Product.name)).one() == "Cold room XL"


def test_a_unique_value_that_comes_twice_without_key_fails_the_second_row(ctx: Context, tmp_path: Path) -> None:
    report, problems = imported(ctx, tmp_path, "code,name\nC1,Cold room\nC1,Oven\nC2,Fan\n", type_="catalog.product")
    assert (report.created, report.failed) == (2, 1)
    assert [problem.line for problem in problems] == [3]


def test_a_key_that_is_not_mapped_is_refused(ctx: Context, tmp_path: Path) -> None:
    with pytest.raises(RuleViolation) as refused:
        imported(ctx, tmp_path, "name\nA\n", key="tax_number")
    assert "tax_number" in str(refused.value)


def test_a_reference_is_found_by_name_loosely_and_further_down_the_file(ctx: Context, tmp_path: Path) -> None:
    rows = "name,part of\nBranch,Mega-Fruct SRL\nMega Fruct SRL,\nOther,Nobody Ltd\n"
    report, problems = imported(ctx, tmp_path, rows, "name=name", "part of=parent")
    parents = {c.name: c.parent_id for c in ctx.session.scalars(select(Contact))}
    ids = {c.name: c.id for c in ctx.session.scalars(select(Contact))}
    assert parents["Branch"] == ids["Mega Fruct SRL"]
    assert any(problem.line == 4 and "Nobody Ltd" in problem.message for problem in problems)
    assert report.rows == 3


def test_the_good_rows_of_a_batch_keep_their_references_when_another_fails(ctx: Context, tmp_path: Path) -> None:
    rows = "name,part of,currency\nBranch,Mother,\nBad,,eur\nMother,,\n"
    report, problems = imported(ctx, tmp_path, rows, "name=name", "part of=parent", "currency=currency")
    [problem] = problems
    found = {c.name: c for c in ctx.session.scalars(select(Contact))}
    assert (report.created, report.failed, problem.line) == (2, 1, 3)
    assert found["Branch"].parent_id == found["Mother"].id


def test_an_update_by_key_passes_the_rules_and_is_remembered(ctx: Context, tmp_path: Path) -> None:
    save(ctx, [Product(name="Cold room", code="C1"), Product(name="Oven", code="C2")])
    rows = "code,name,currency\nC1,Cold room XL,EUR\nC2,Oven XL,eur\n"
    report, problems = imported(ctx, tmp_path, rows, type_="catalog.product", key="code")
    [problem] = problems
    assert (report.updated, report.failed, problem.line, problem.column) == (1, 1, 3, "currency")
    assert set(ctx.session.scalars(select(Product.name))) == {"Cold room XL", "Oven"}
    changed = select(func.count()).where(
        HistoryEntry.record_type == "catalog.product", HistoryEntry.action == "changed"
    )
    assert ctx.session.scalar(changed) == 1


def test_a_name_that_two_records_carry_is_refused_at_its_row(ctx: Context, tmp_path: Path) -> None:
    save(ctx, [Contact(name="Twin"), Contact(name="Twin")])
    report, [problem] = imported(
        ctx, tmp_path, "deal,customer\nA,Twin\n", "deal=name", "customer=contact", type_="sales.deal"
    )
    assert report.failed == 1
    assert "2 Contacts are called “Twin”" in problem.message


def test_of_two_rows_at_fault_both_are_named_and_an_unknown_stage_lists_those_there_are(
    ctx: Context, tmp_path: Path
) -> None:
    report, problems = imported(ctx, tmp_path, "name,stage\nA,Won\nB,Closed-ish\n", type_="sales.deal")
    assert (report.created, report.failed) == (1, 1)
    assert "negotiation" in problems[0].message


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("1,234.50", "1234.50"),
        ("1.234,50", "1234.50"),
        ("1 234,5", "1234.5"),
        ("1'234.5", "1234.5"),
        ("12", "12"),
        ("-3", "-3"),
    ],
)
def test_numbers_are_read_in_the_spellings_that_people_use(
    ctx: Context, tmp_path: Path, typed: str, value: str
) -> None:
    imported(ctx, tmp_path, f'name;annual_revenue\nA;"{typed}"\n')
    assert ctx.session.scalars(select(Contact.annual_revenue)).one() == Decimal(value)


@pytest.mark.parametrize("typed", ["1e999", "NaN", "Infinity", "12abc", "9" * 400, "--1", "1.2.3,4,5"])
def test_what_is_no_number_is_refused_at_its_cell(ctx: Context, tmp_path: Path, typed: str) -> None:
    report, [problem] = imported(ctx, tmp_path, f'name;annual_revenue\nA;"{typed}"\n')
    assert (report.failed, problem.column) == (1, "annual_revenue")


@pytest.fixture
def filled(ctx: Context) -> Context:
    save(ctx, [
        Contact(name="=SUM(A1)", city='Țuică, "quoted"\nline', employees=3, annual_revenue=Decimal("12.3456")),
        Contact(name="Mega Fruct SRL", kind="person", website="https://example.org"),
    ])  # fmt: skip
    return ctx


def exported(ctx: Context, format_: str, *pairs: tuple[str, str]) -> bytes:
    target = io.BytesIO()
    declared = ctx.registry.record_type("base.contact")
    export_records(ctx, declared, parse(ctx, declared, pairs), target, format=format_)
    return target.getvalue()


@pytest.mark.parametrize("format_", ["csv", "xlsx", "json"])
def test_an_export_comes_back_unchanged(filled: Context, tmp_path: Path, format_: str) -> None:
    fields = ("fields", "name,city,employees,annual_revenue,kind,website")
    content = exported(filled, format_, fields)
    report, problems = imported(filled, tmp_path, content, key="name", name=f"table.{format_}")
    assert (report.skipped, problems) == (2, [])


def test_a_formula_leaves_as_text(filled: Context) -> None:
    assert b"'=SUM(A1)" in exported(filled, "csv", ("fields", "name"))


FORMULAS = [
    "=1+1", "+1", "-1", "@A1", " =1", "\n=1", "\x0b=1", "\u200b=1", "\ufeff=1", "\xa0=1", "\u034f=1", "＝1", "＋1", "－1", "＠A1",
    "﹦1", "−1", "\t1", "\r1", " \n1", "'=1+1", "''=1", "' =1", "'\u200b＝1",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_nothing_that_a_spreadsheet_might_run_leaves_bare(text: str) -> None:
    assert neutralised(text) == "'" + text


@pytest.mark.parametrize("text", ["", "'", "'n Winkel", "a=b", "12", "–", "Țuică", "(=1)", '"=1"'])
def test_other_texts_leave_as_they_are(text: str) -> None:
    assert neutralised(text) == text


@given(st.text(alphabet=st.sampled_from("'=+-@ \t\u200b＝−a1") | st.characters(), max_size=8))
def test_any_text_comes_back_as_it_left(text: str) -> None:
    assert restored(neutralised(text)) == text


@pytest.mark.parametrize("format_", ["csv", "xlsx", "json"])
def test_formulas_and_quoted_formulas_come_back_as_they_were(ctx: Context, tmp_path: Path, format_: str) -> None:
    written = ["=1+1", "'=1+1", "''=1", "＝1", "'n Winkel"]
    save(ctx, [Contact(name=f"{number}", city=city) for number, city in enumerate(written)])
    content = exported(ctx, format_, ("fields", "name,city"))
    report, problems = imported(ctx, tmp_path, content, key="name", name=f"table.{format_}")
    assert (report.skipped, problems) == (len(written), [])
    assert list(ctx.session.scalars(select(Contact.city).order_by(Contact.id))) == written


def test_an_export_holds_what_the_reader_may_see(stage: Stage, make_user: Callable[..., User], deployment: Any) -> None:
    ana = make_user("Ana", grants={"base.contact.read": "own"})
    with stage.system() as ctx:
        save(ctx, [Contact(name="Mine", owner_id=ana.id), Contact(name="Not mine")])
    with stage.acting(ana, write=False) as ctx:
        content = exported(ctx, "csv", ("fields", "name"))
    assert b"Mine" in content
    assert b"Not mine" not in content


def test_an_import_as_a_user_needs_the_rights_of_a_save(
    stage: Stage, make_user: Callable[..., User], tmp_path: Path
) -> None:
    ana = make_user("Ana", grants={"base.contact.read": "all"})
    with stage.acting(ana) as ctx:
        report, problems = imported(ctx, tmp_path, "name\nA\nB\n")
    assert (report.created, report.failed) == (0, 2)
    assert "administrator" in problems[0].message
