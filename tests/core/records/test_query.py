"""Lists as people and integrators ask for them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from comptoir.access.guard import TableRule
from comptoir.errors import ComptoirError, NotFound, RuleViolation, RuleViolations
from comptoir.records.query import (
    Compare,
    Query,
    aggregate,
    and_also,
    count,
    load,
    load_many,
    parse,
    references_of,
    run,
    titles,
    to_pairs,
    totals,
    where,
)

DEAL_READ = {"qdemo.deal.read": "all"}


def ids(world: Any, *pairs: tuple[str, str], ctx: Any = None, of: str = "deals") -> list[int]:
    if ctx is None:
        with world.context() as opened:
            return ids(world, *pairs, ctx=opened, of=of)
    declared = getattr(world, of)
    return [row["id"] for row in run(ctx, declared, parse(ctx, declared, pairs)).rows]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], [1, 2, 3, 4, 5, 6, 7]),
        ([("archived", "only")], [8]),
        ([("archived", "with"), ("filter[stage]", "won")], [1, 2, 8]),
        ([("filter[stage]", "won")], [1, 2]),
        ([("filter[stage][ne]", "won")], [3, 4, 5, 6, 7]),
        ([("filter[source][ne]", "web")], [2, 3, 5, 6]),
        ([("filter[source][nin]", "web,fair")], [2, 5]),
        ([("filter[not][source]", "web")], [2, 3, 5, 6]),
        ([("filter[not][amount][gt]", "100")], [3, 4, 5, 6]),
        ([("filter[stage][in]", "won,lost")], [1, 2, 3]),
        ([("filter[stage][in]", "won"), ("filter[stage][in]", "lost")], [1, 2, 3]),
        ([("filter[amount][gte]", "1000.50")], [1, 7]),
        ([("filter[amount]", "1000.5")], [1, 7]),
        ([("filter[amount][lt]", "0")], [6]),
        ([("filter[amount][is_null]", "true")], [3]),
        ([("filter[amount][is_null]", "false"), ("filter[seats][is_null]", "true")], [2]),
        ([("filter[hot]", "true")], [1, 4]),
        ([("filter[closed_on][lte]", "2025-12-31")], [3]),
        ([("filter[closed_on][within]", "this_year")], [1, 2, 6, 7]),
        ([("filter[closed_on][within]", "today")], [6]),
        ([("filter[closed_on][within]", "last_3_days")], [1, 6]),
        ([("filter[closed_on][within]", "last_year")], [3]),
        ([("filter[closed_on][lt]", "today")], [1, 2, 3, 7]),
        ([("filter[closed_on]", "today-2")], [1]),
        ([("filter[person]", "2")], [2, 3]),
        ([("filter[person_id][in]", "1,3")], [1, 4, 6]),
        ([("filter[person.city]", "Cluj")], [1, 4, 6]),
        ([("filter[person.city][ne]", "Cluj")], [2, 3, 5, 7]),
        ([("filter[person.parent.name][starts]", "mega")], [2, 3, 4, 6]),
        ([("filter[person.parent.owner.name]", "Ana Mureșan")], [2, 3, 4, 6]),
        ([("filter[person.phones.number]", "+40722000222")], [4, 6]),
        ([("filter[person.qsales.limit]", "500")], [2, 3]),
        ([("filter[person.qsales.limit]", "100")], [1, 4, 6, 7]),
        ([("filter[person.qsales.agent]", "2")], [2, 3]),
        ([("filter[person.qsales.agent.name][contains]", "otto")], [2, 3]),
        ([("filter[owner]", "me")], [1, 4, 6]),
        ([("filter[owner][ne]", "me")], [2, 3, 5, 7]),
        ([("filter[team]", "my_teams")], [1, 6, 7]),
        ([("filter[team.parent]", "1")], [2, 3]),
        ([("filter[name][contains]", "PP")], [1]),
        ([("filter[name][starts]", "b")], [2]),
        ([("q", "appl")], [1]),
        ([("q", "ban nas")], [2]),
        ([("filter[or][0][stage]", "lost"), ("filter[or][1][amount][gt]", "1000")], [1, 3, 7]),
        ([("filter[or][0][stage]", "won"), ("filter[or][0][hot]", "true"), ("filter[or][1][seats]", "10")], [1, 3]),
        ([("filter[not][or][0][stage]", "won"), ("filter[not][or][1][stage]", "new")], [3, 5, 6]),
        ([("filter[met_at][within]", "today")], [4]),
        ([("filter[met_at]", "2026-01-01")], [2]),
        ([("filter[met_at][gt]", "2026-11-20")], [1, 4]),
        ([("filter[met_at][lte]", "2026-03-29")], [2, 7]),
        ([("filter[met_at][gte]", "2026-11-22T10:00+02:00")], [4]),
        ([("filter[id][in]", "7,3")], [3, 7]),
        ([("filter[created_by][is_null]", "true"), ("filter[id][lte]", "2")], [1, 2]),
    ],
)
def test_a_filter_keeps_the_rows_that_fulfil_it(world: Any, pairs: list[tuple[str, str]], expected: list[int]) -> None:
    assert sorted(ids(world, *pairs)) == expected


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("filter[name][contains]", "stefan")], [2]),
        ([("filter[name][starts]", "Ştefan l")], [2]),
        ([("filter[name][contains]", "%")], [4]),
        ([("filter[email][contains]", "e_1")], [3]),
        ([("filter[name][contains]", "office")], []),
        ([("filter[city][contains]", "AȘI")], [2]),
        ([("filter[notes][contains]", "NE\nli")], [4]),
        ([("q", "lukasz stef")], [2]),
        ([("q", "0721 555 001")], [2]),
        ([("q", "(0264) 000-111")], [2]),
        ([("q", "0040722000222")], [3]),
        ([("filter[phones.label]", "mobile")], [2, 3]),
        ([("filter[phones.label][ne]", "work")], [1, 3, 4]),
        ([("filter[phones][is_null]", "true")], [1, 4]),
        ([("filter[phones][is_null]", "false")], [2, 3]),
        ([("filter[phones.number][contains]", "555")], [2]),
        ([("filter[phones.secret][is_null]", "false")], [3]),
        ([("filter[qsales.limit][gt]", "100")], [2]),
        ([("filter[qsales.limit][lte]", "100")], [1, 3, 4]),
    ],
)
def test_people_are_found_by_name_phone_and_side_fields(
    world: Any, pairs: list[tuple[str, str]], expected: list[int]
) -> None:
    assert sorted(ids(world, *pairs, of="people")) == expected


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("-id", [7, 6, 5, 4, 3, 2, 1]),
        ("amount", [6, 5, 4, 2, 1, 7, 3]),
        ("-amount", [7, 1, 2, 4, 5, 6, 3]),
        ("-amount,id", [1, 7, 2, 4, 5, 6, 3]),
        ("person.name,-amount", [7, 4, 6, 1, 2, 3, 5]),
        ("-closed_on", [6, 1, 7, 2, 3, 5, 4]),
        ("-person.qsales.limit,name", [2, 3, 1, 4, 6, 7, 5]),
    ],
)
def test_a_list_is_sorted_with_empty_values_last_and_ties_by_number(world: Any, sort: str, expected: list[int]) -> None:
    assert ids(world, ("sort", sort)) == expected


@pytest.mark.parametrize("sort", ["", "amount", "-amount", "-closed_on,amount", "person.city,-seats", "hot,-met_at"])
def test_paging_by_cursor_meets_every_row_once(world: Any, sort: str) -> None:
    whole = ids(world, ("sort", sort))
    with world.context() as ctx:
        met, after = [], None
        while True:
            page = run(
                ctx, world.deals, Query(sort=parse(ctx, world.deals, [("sort", sort)]).sort, size=2, after=after)
            )
            met += [row["id"] for row in page.rows]
            assert page.total == 7
            if page.next is None:
                break
            after = page.next
    assert met == whole


def test_paging_by_number_gives_the_same_pages(world: Any) -> None:
    whole = ids(world, ("sort", "-amount"))
    pages = [ids(world, ("sort", "-amount"), ("page[size]", "3"), ("page[number]", str(n))) for n in (1, 2, 3, 4)]
    assert pages == [whole[:3], whole[3:6], whole[6:], []]


def test_rows_hold_what_was_asked_for_in_python_types(world: Any) -> None:
    with world.context() as ctx:
        query = parse(
            ctx, world.deals, [("fields", "name,amount,closed_on,met_at,person,person.city"), ("filter[id]", "1")]
        )
        (row,) = run(ctx, world.deals, query).rows
    assert row == {
        "id": 1,
        "version": 1,
        "name": "Apples",
        "amount": Decimal("1000.5"),
        "closed_on": dt.date(2026, 11, 20),
        "met_at": dt.datetime(2026, 11, 20, 22, 30, tzinfo=dt.UTC),
        "person_id": 1,
        "person.city": "Cluj",
    }


def test_rows_hold_lines_and_fields_of_extensions(world: Any) -> None:
    with world.context() as ctx:
        query = parse(ctx, world.people, [("fields", "phones,qsales.limit"), ("filter[id][in]", "1,2")])
        first, second = run(ctx, world.people, query).rows
    assert (first["phones"], first["qsales.limit"]) == ([], Decimal(100))
    assert [line["number"] for line in second["phones"]] == ["+40721555001", "+40264000111"]


def test_without_a_choice_all_readable_fields_come(world: Any) -> None:
    with world.context({"qdemo.person.read": "all"}) as ctx:
        row = run(ctx, world.people, Query()).rows[0]
    assert {"name", "qsales.limit", "owner_id", "created_at"} <= set(row)
    assert not {"rating", "phones"} & set(row)


def test_a_short_page_needs_no_count(world: Any) -> None:
    with world.context() as ctx, world.counting() as sent:
        page = run(ctx, world.deals, Query())
    assert (page.total, len(sent)) == (7, 1)


def test_only_the_rows_in_scope_are_listed_counted_and_summed(world: Any) -> None:
    with world.context({"qdemo.deal.read": "own"}) as ctx:
        assert [row["id"] for row in run(ctx, world.deals, Query(size=2)).rows] == [1, 4]
        assert run(ctx, world.deals, Query(size=2)).total == 3
        assert count(ctx, world.deals, Query()) == (3, False)
        assert totals(ctx, world.deals, Query(), ["amount"]) == {"count": 3, "amount": Decimal("1090.49")}


def test_the_system_sees_everything_and_is_nobody(world: Any) -> None:
    with world.system() as ctx:
        assert len(ids(world, ("sort", "-person.rating"), ctx=ctx)) == 7
        assert ids(world, ("filter[owner]", "me"), ctx=ctx) == []
        assert totals(ctx, world.deals, Query(archived="with"), ["seats"]) == {"count": 8, "seats": 13}


def test_a_list_beyond_ten_thousand_rows_is_counted_no_further(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comptoir.records.query.page.MAX_COUNT", 3)
    with world.context() as ctx:
        page = run(ctx, world.deals, Query(size=1))
        assert (page.total, page.capped) == (3, True)
        page = run(ctx, world.deals, Query(where=where(world.deals, "stage", "eq", "won"), size=1))
        assert (page.total, page.capped) == (2, False)


class TestHiddenFields:
    @pytest.mark.parametrize(
        "pairs",
        [
            [("filter[rating]", "5")],
            [("filter[rating][is_null]", "true")],
            [("sort", "-rating")],
            [("fields", "name,rating")],
            [("filter[or][0][rating][gt]", "1")],
            [("filter[parent.rating]", "5")],
            [("filter[phones.secret]", "x")],
        ],
    )
    def test_a_hidden_field_is_an_unknown_field(self, world: Any, pairs: list[tuple[str, str]]) -> None:
        with world.context(EVERYTHING) as ctx, pytest.raises(RuleViolation) as refused:
            parse(ctx, world.people, pairs)
        assert refused.value.field == pairs[0][0]
        assert refused.value.code == "core.unknown_field"
        assert "Known" in str(refused.value)
        assert "rating," not in str(refused.value)

    def test_a_query_that_somebody_else_made_is_checked_when_it_runs(self, world: Any) -> None:
        with world.context(EVERYTHING) as ctx:
            for query in (Query(where=Compare("rating", "gt", 3)), Query(sort=("rating",)), Query(fields=("rating",))):
                with pytest.raises(RuleViolation, match="rating"):
                    run(ctx, world.people, query)
            for group, measure in ((("rating",), "count"), ((), "rating:max")):
                with pytest.raises(RuleViolation, match="rating"):
                    aggregate(ctx, world.people, None, group, (measure,))

    def test_records_of_a_type_that_may_not_be_read_are_unknown_behind_a_dot(self, world: Any) -> None:
        with world.context(DEAL_READ) as ctx, pytest.raises(RuleViolation, match=r"person\.city"):
            parse(ctx, world.deals, [("filter[person.city]", "Cluj")])

    def test_related_records_out_of_scope_read_as_absent(self, world: Any) -> None:
        with world.context({**DEAL_READ, "qdemo.person.read": "own"}) as ctx:
            assert ids(world, ("filter[person.city]", "Cluj"), ctx=ctx) == [1, 4, 6]
            assert ids(world, ("filter[person.city]", "Iași"), ctx=ctx) == []
            rows = run(ctx, world.deals, Query(fields=("person",))).rows
            assert titles(ctx, references_of(ctx, world.deals, rows)) == {
                "qdemo_person": {1: "Mega Fruct SRL", 3: "Ion Pop"}
            }


EVERYTHING = {"qdemo.deal.read": "all", "qdemo.person.read": "all"}


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("filter[stagee]", "won", "stage"),
        ("filter[person.citty]", "x", "person.city"),
        ("filter[name.city]", "x", "name"),
        ("filter[phones.number]", "x", "phones"),
        ("filter[amount][about]", "3", "operator"),
        ("filter[amount][contains]", "3", "operator"),
        ("filter[amount]", "much", "number"),
        ("filter[amount]", "NaN", "number"),
        ("filter[amount]", "Infinity", "number"),
        ("filter[amount]", "1e5", "number"),
        ("filter[amount]", "1" * 15, "14 digits"),
        ("filter[amount]", "0.00001", "four"),
        ("filter[seats]", "9" * 30, "number"),
        ("filter[seats]", "9" * 19, "digits"),
        ("filter[seats]", "1.5", "whole"),
        ("filter[seats]", "٣", "whole"),
        ("filter[seats]", "", "is_null"),
        ("filter[person]", "me", "number of a record"),
        ("filter[person]", "9" * 19, "digits"),
        ("filter[owner]", "my_teams", "number of a record"),
        ("filter[stage]", "wonn", "won"),
        ("filter[stage][in]", "won,gone", "value"),
        ("filter[source]", "tv", "web"),
        ("filter[hot]", "maybe", "true or false"),
        ("filter[closed_on]", "yesterday", "2026-11-22"),
        ("filter[closed_on]", "2026-02-30", "2026-11-22"),
        ("filter[closed_on]", "0999-01-01", "1000"),
        ("filter[closed_on]", "today+999999", "2026-11-22"),
        ("filter[closed_on][within]", "this_decade", "period"),
        ("filter[closed_on][within]", "last_0_days", "period"),
        ("filter[met_at]", "2026-11-22T10:00", "offset"),
        ("filter[met_at][in]", "2026-11-22", "operator"),
        ("filter[name]", "a\x00b", "character"),
        ("filter[name]", "\ud800", "character"),
        ("filter[name]", "x" * 10_000_000, "1000"),
        ("filter[name][contains]", "", "text"),
        ("filter[name][is_null]", "perhaps", "true or false"),
        ("filter[seats][in]", ",".join("1" * 501), "500"),
        ("filter[" + "x" * 10_000_000 + "]", "1", "filter"),
        ("filter", "1", "filter[field]"),
        ("filter[name", "1", "filter[field]"),
        ("filter[name][eq][eq]", "1", "filter[field]"),
        ("filter[or][name]", "1", "filter[or]"),
        ("filter[or][0]", "1", "filter[or]"),
        ("filter[or][x][name]", "1", "filter[or]"),
        ("filter[not]", "1", "filter[not]"),
        ("filter[]", "1", "field"),
        ("filter[.]", "1", "field"),
        ("filter[person.]", "1", "field"),
        ("filter[custom]", "1", "field"),
        ("filter[__class__]", "1", "field"),
        ("filter[search_key]", "1", "field"),
        ("filter[" + "[not]" * 20 + "[name]", "1", "filter"),
        ("filter[person.parent.parent.parent.name]", "x", "3"),
        ("sort", "stagee", "stage"),
        ("sort", "--stage", "field"),
        ("sort", ",", "field"),
        ("sort", ",".join(["name"] * 6), "5"),
        ("sort", "person.phones.number", "sorted"),
        ("sort", "person.notes", "sorted"),
        ("fields", "nme", "name"),
        ("fields", "person.phones.number", "whole"),
        ("page[size]", "0", "500"),
        ("page[size]", "501", "500"),
        ("page[size]", "many", "500"),
        ("page[number]", "0", "whole"),
        ("page[number]", "127", "page[after]"),
        ("page[after]", "nonsense", "first page"),
        ("page[after]", "\x00", "first page"),
        ("page[after]", "ünï", "first page"),
        ("page[after]", "W1tbW1tbW1tbW10", "first page"),
        ("page[after]", "x" * 10_000_000, "first page"),
        ("page[before]", "x", "page[after]"),
        ("archived", "yes", "without"),
        ("q", "x" * 201, "200"),
        ("filtr[stage]", "won", "filter"),
        ("order", "name", "parameter"),
    ],
)
def test_what_is_wrong_is_refused_by_name_with_its_cure(world: Any, key: str, text: str, says: str) -> None:
    with world.context() as ctx, pytest.raises(ComptoirError) as refused:
        parse(ctx, world.deals, [(key, text)])
    assert refused.value.status == 422
    assert isinstance(refused.value, RuleViolation)
    assert refused.value.field is not None
    assert refused.value.field[:20] == key.replace("\ud800", "?")[:20]
    assert says in str(refused.value)
    assert len(str(refused.value)) < 600


def test_all_mistakes_are_reported_together(world: Any) -> None:
    with world.context() as ctx, pytest.raises(RuleViolations) as refused:
        parse(ctx, world.deals, [("filter[nope]", "1"), ("sort", "nope"), ("filter[or][0][stage]", "x"), ("what", "")])
    assert set(refused.value.by_field()) == {"filter[nope]", "sort", "filter[or][0][stage]", "what"}


def test_filters_have_a_cost_limit(world: Any) -> None:
    with world.context() as ctx:
        with pytest.raises(RuleViolation, match="40"):
            parse(ctx, world.deals, [(f"filter[or][{n}][seats]", str(n)) for n in range(41)])
        with pytest.raises(RuleViolation, match="deep"):
            parse(ctx, world.deals, [("filter" + "[not]" * 7 + "[name]", "x")])


def test_a_cursor_fits_only_its_own_order(world: Any) -> None:
    with world.context() as ctx:
        cursor = run(ctx, world.deals, Query(sort=("-amount",), size=2)).next
        with pytest.raises(RuleViolation, match="another sort order"):
            parse(ctx, world.deals, [("sort", "name"), ("page[after]", str(cursor))])


def test_words_of_a_search_are_limited(world: Any) -> None:
    with world.context() as ctx, pytest.raises(RuleViolation, match="10 words"):
        run(ctx, world.deals, Query(text="a " * 11))
    assert ids(world, ("q", "  ")) == [1, 2, 3, 4, 5, 6, 7]
    assert ids(world, ("q", "%")) == []


class TestAggregates:
    def test_groups_by_stage_with_exact_amounts(self, world: Any) -> None:
        with world.context() as ctx:
            found = aggregate(
                ctx, world.deals, None, ("stage",), ("count", "amount:sum", "amount:avg", "amount:min", "seats:sum")
            )
        assert found == [
            {"stage": "lost", "count": 1, "amount:sum": 0, "amount:avg": None, "amount:min": None, "seats:sum": 10},
            {
                "stage": "new",
                "count": 2,
                "amount:sum": Decimal("1100.49"),
                "amount:avg": Decimal("550.245"),
                "amount:min": Decimal("99.99"),
                "seats:sum": 4,
            },
            {
                "stage": "talks",
                "count": 2,
                "amount:sum": Decimal(-10),
                "amount:avg": Decimal(-5),
                "amount:min": Decimal(-10),
                "seats:sum": -5,
            },
            {
                "stage": "won",
                "count": 2,
                "amount:sum": Decimal("1250.5"),
                "amount:avg": Decimal("625.25"),
                "amount:min": Decimal(250),
                "seats:sum": 3,
            },
        ]

    @pytest.mark.parametrize(
        ("group", "expected"),
        [
            ("closed_on:day", ["2025-12-31", "2026-01-01", "2026-02-28", "2026-11-20", "2026-11-22", None]),
            ("closed_on:week", ["2026-W01", "2026-W09", "2026-W47", None]),
            ("closed_on:month", ["2025-12", "2026-01", "2026-02", "2026-11", None]),
            ("closed_on:quarter", ["2025-Q4", "2026-Q1", "2026-Q4", None]),
            ("closed_on:year", ["2025", "2026", None]),
            ("met_at:day", ["2026-01-01", "2026-03-29", "2026-07-01", "2026-11-21", "2026-11-22", None]),
            ("met_at:week", ["2026-W01", "2026-W13", "2026-W27", "2026-W47", None]),
            ("met_at:year", ["2026", None]),
            ("person.city", ["Cluj", "Iași", None]),
            ("team.parent", [1, None]),
            ("hot", [False, True]),
        ],
    )
    def test_groups_are_labelled_alike_on_both_engines(self, world: Any, group: str, expected: list[Any]) -> None:
        with world.context() as ctx:
            assert [row[group] for row in aggregate(ctx, world.deals, None, (group,))] == expected

    def test_several_groups_under_a_filter(self, world: Any) -> None:
        with world.context() as ctx:
            only = where(world.deals, "stage", "in", ["won", "lost"])
            found = aggregate(ctx, world.deals, only, ("person", "closed_on:year"), ("count", "owner:count_distinct"))
            assert found == [
                {"person": 1, "closed_on:year": "2026", "count": 1, "owner:count_distinct": 1},
                {"person": 2, "closed_on:year": "2025", "count": 1, "owner:count_distinct": 1},
                {"person": 2, "closed_on:year": "2026", "count": 1, "owner:count_distinct": 1},
            ]
            assert titles(ctx, references_of(ctx, world.deals, found)) == {
                "qdemo_person": {1: "Mega Fruct SRL", 2: "Ștefan Łukasz"}
            }

    @pytest.mark.parametrize(
        ("group", "measure", "field", "says"),
        [
            ("stagee", "count", "group", "stage"),
            ("met_at", "count", "group", "day"),
            ("closed_on:decade", "count", "group", "month"),
            ("stage:month", "count", "group", "part"),
            ("person.phones.number", "count", "group", "several"),
            ("stage", "amount:median", "measures", "avg"),
            ("stage", "amount", "measures", "sum"),
            ("stage", "name:sum", "measures", "number"),
            ("stage", "hot:max", "measures", "hot"),
        ],
    )
    def test_what_cannot_be_grouped_or_measured_is_refused(
        self, world: Any, group: str, measure: str, field: str, says: str
    ) -> None:
        with world.context() as ctx, pytest.raises(RuleViolation) as refused:
            aggregate(ctx, world.deals, None, (group,), (measure,))
        assert refused.value.field == field
        assert says in str(refused.value)

    def test_totals_follow_the_filter_in_one_statement(self, world: Any) -> None:
        with world.context() as ctx:
            query = parse(ctx, world.deals, [("filter[person.city]", "Cluj")])
            with world.counting() as sent:
                assert totals(ctx, world.deals, query, ["amount", "seats"]) == {
                    "count": 3,
                    "amount": Decimal("1090.49"),
                    "seats": -1,
                }
            assert len(sent) == 1


class TestFiltersFromCode:
    def test_values_are_checked(self, world: Any) -> None:
        for path, operator, value in (
            ("stagee", "eq", "won"),
            ("amount", "gt", 1.5),
            ("amount", "gt", "much"),
            ("seats", "eq", True),
            ("closed_on", "eq", dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
            ("stage", "in", "won"),
            ("hot", "eq", 1),
            ("amount", "like", "x"),
            ("amount", "gt", Decimal("NaN")),
            ("seats", "eq", 2**70),
        ):
            with pytest.raises(RuleViolation):
                where(world.deals, path, operator, value)

    def test_they_join_with_those_of_a_person(self, world: Any) -> None:
        with world.context() as ctx:
            given = parse(ctx, world.deals, [("filter[hot]", "true")]).where
            both = and_also(
                given, where(world.deals, "person.city", "eq", "Cluj"), where(world.deals, "amount", "gte", 100), None
            )
            assert [row["id"] for row in run(ctx, world.deals, Query(where=both)).rows] == [1]
            assert to_pairs(both) == [
                ("filter[hot]", "true"),
                ("filter[person.city]", "Cluj"),
                ("filter[amount][gte]", "100"),
            ]

    def test_a_tree_made_by_hand_is_checked_when_it_runs(self, world: Any) -> None:
        with world.context() as ctx:
            for node in (
                Compare("amount", "gt", 1.5),
                Compare("amount", "like", "1"),
                Compare("person.city", "eq", "a\x00"),
                Compare("person", "eq", "seven"),
                Compare("closed_on", "within", "soon"),
                Compare("name", "is_null", "perhaps"),
                Compare("nothing", "eq", 1),
            ):
                with pytest.raises(RuleViolation) as refused:
                    run(ctx, world.deals, Query(where=node))
                assert refused.value.field == f"filter[{node.path}]"

    def test_a_day_stands_for_its_moments(self, world: Any) -> None:
        with world.context() as ctx:
            since = Query(where=Compare("met_at", "gte", dt.date(2026, 11, 21)), fields=("name",))
            assert [row["id"] for row in run(ctx, world.deals, since).rows] == [1, 4]


class TestLoading:
    def test_records_come_in_the_order_asked_for(self, world: Any) -> None:
        with world.context() as ctx:
            assert [deal.name for deal in load_many(ctx, world.Deal, [3, 1])] == ["Cherries", "Apples"]

    @pytest.mark.parametrize("record_id", [2, 99, 0, -1, 2**80])
    def test_what_is_absent_or_out_of_scope_is_not_found(self, world: Any, record_id: int) -> None:
        with world.context({"qdemo.deal.read": "own"}) as ctx:
            assert load(ctx, world.Deal, 1).name == "Apples"
            with pytest.raises(NotFound):
                load(ctx, world.Deal, record_id)
            with pytest.raises(NotFound):
                load_many(ctx, world.Deal, [1, record_id])


def test_lines_of_records_just_read_are_not_asked_for_their_records_rule(world: Any) -> None:
    with world.context({"qdemo.person.read": "team"}) as ctx, world.counting() as sent:
        rows = run(ctx, world.people, Query(fields=("name", "phones")), total=False).rows
    assert {row["id"]: len(row["phones"]) for row in rows} == {1: 0, 3: 1}
    records, lines = [statement for statement in sent if statement.startswith("SELECT")]
    assert "core_team_member" in records
    assert "core_team_member" not in lines
    assert "secret" not in rows[1]["phones"][0]


def test_lines_with_a_rule_of_their_own_keep_it(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.context({"qdemo.person.read": "own", "qdemo.deal.delete": "own"}) as ctx:
        policy = ctx.session.get_bind().policy
        monkeypatch.setitem(policy._rules, "qdemo_phone", TableRule())
        rows = run(ctx, world.people, Query(fields=("name", "phones")), total=False).rows
    assert [(row["id"], row["phones"]) for row in rows] == [(1, []), (3, [])]
