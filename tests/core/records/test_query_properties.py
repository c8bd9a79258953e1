"""What a filter means, against the same tree evaluated in Python over the same rows, on both engines."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comptoir.db.types import fold
from comptoir.errors import ComptoirError
from comptoir.records.query import (
    All,
    Any_,
    Compare,
    Filter,
    Not,
    Query,
    aggregate,
    count,
    normalised,
    parse,
    run,
    to_pairs,
    totals,
)
from comptoir.records.query.tree import depth

NOW = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
WORDS = ["ab", "abc", "b", "ba c", "cab", "%b", "a_c", "c\\a"]
CITIES = ["Cluj", "Iași", "Sofia", None]
AMOUNTS = [None, Decimal("-1.5"), Decimal(0), Decimal("0.0001"), Decimal(10), Decimal("99999999999.9999")]
DAYS = [None, *(dt.date(2026, 11, 22) + dt.timedelta(days=n) for n in (-400, -30, -1, 0, 1, 8))]
MOMENTS = [None, *(NOW + dt.timedelta(hours=n) for n in (-9000, -12, -9, 0, 13, 14, 40))]
SEATS = [None, -3, 0, 1, 2, 2**53]
NUMBERS = ["+4011", "+4022", "+4033"]

relaxed = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def rows(empty_world: Any) -> list[dict[str, Any]]:
    """Sixty deals of eight people, with everything that may be empty empty somewhere."""
    world, chance = empty_world, random.Random(7)
    people: dict[Any, dict[str, Any]] = {None: {}}
    plain: list[dict[str, Any]] = []
    with world.system() as ctx:
        for number in range(1, 9):
            person = world.Person(id=number, name=chance.choice(WORDS), city=chance.choice(CITIES))
            numbers = chance.sample(NUMBERS, chance.randint(0, 2))
            person.phones = [world.Phone(number=n, position=p) for p, n in enumerate(numbers)]
            ctx.session.add(world.stamped(person))
            ctx.session.flush()
            limit = chance.choice([None, Decimal(100), Decimal(500)])
            if limit is not None:
                ctx.session.add(world.Credit(record_id=number, limit=limit))
            people[number] = {
                "person.city": person.city,
                "person.name": person.name,
                "person.phones.number": numbers,
                "person.qsales.limit": limit if limit is not None else Decimal(100),
            }
        for number in range(1, 61):
            values = {
                "name": chance.choice(WORDS),
                "stage": chance.choice(["new", "talks", "won", "lost"]),
                "source": chance.choice([None, "web", "fair"]),
                "amount": chance.choice(AMOUNTS),
                "seats": chance.choice(SEATS),
                "closed_on": chance.choice(DAYS),
                "met_at": chance.choice(MOMENTS),
                "hot": chance.choice([True, False]),
            }
            person_id = chance.choice([None, *range(1, 9)])
            ctx.session.add(world.stamped(world.Deal(id=number, person_id=person_id, **values)))
            related = dict.fromkeys(people[1]) | {"person.phones.number": []} | people[person_id]
            plain.append({"id": number, "person": person_id, **values, **related})
    return plain


def _values(kind: str, pool: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([value for value in pool if value is not None])


POOLS: dict[str, list[Any]] = {
    "id": [1, 5, 60, 61, -1],
    "name": [*WORDS, "", "zz"],
    "stage": ["new", "talks", "won", "lost"],
    "source": ["web", "fair"],
    "amount": [*AMOUNTS, Decimal(5)],
    "seats": [*SEATS, 7],
    "closed_on": [*DAYS, dt.date(2030, 1, 1)],
    "met_at": [*MOMENTS, dt.datetime(2030, 1, 1, tzinfo=dt.UTC)],
    "hot": [True, False],
    "person": [1, 2, 3, 99],
    "person.city": ["Cluj", "Iași", "Nowhere"],
    "person.name": WORDS,
    "person.phones.number": [*NUMBERS, "+4099"],
    "person.qsales.limit": [Decimal(100), Decimal(500), Decimal(7)],
}
EQUALITY, ORDER = ["eq", "ne", "in", "nin"], ["lt", "lte", "gt", "gte"]
OPERATORS = {
    **dict.fromkeys(POOLS, EQUALITY),
    **dict.fromkeys(["id", "amount", "seats", "person.qsales.limit", "closed_on", "name"], EQUALITY + ORDER),
    "met_at": ["eq", "ne", *ORDER],
}
TEXTS = ["a", "B", "ab", "%", "_", "\\", "C\\", " c", "AB", "zz"]


@st.composite
def compares(draw: st.DrawFn) -> Compare:
    path = draw(st.sampled_from(sorted(POOLS)))
    which = draw(st.integers(0, 9))
    if which == 0:
        return Compare(path, "is_null", draw(st.booleans()))
    if which <= 2 and path in ("name", "person.city", "person.name"):
        return Compare(path, draw(st.sampled_from(["contains", "starts"])), draw(st.sampled_from(TEXTS)))
    operator = draw(st.sampled_from(OPERATORS[path]))
    value = _values(path, POOLS[path])
    if operator in ("in", "nin"):
        return Compare(path, operator, tuple(draw(st.lists(value, min_size=1, max_size=3))))
    return Compare(path, operator, draw(value))


def groups(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.one_of(several.map(All), several.map(Any_), inner.map(Not))


filters = st.recursive(compares(), groups, max_leaves=8)


def holds(node: Filter, row: dict[str, Any]) -> bool:
    """The meaning of a filter, written down a second time."""
    match node:
        case All(parts):
            return all(holds(part, row) for part in parts)
        case Any_(parts):
            return any(holds(part, row) for part in parts)
        case Not(part):
            return not holds(part, row)
        case Compare(path, operator, value):
            held = row[path]
            if operator in ("ne", "nin"):
                return not holds(Compare(path, {"ne": "eq", "nin": "in"}[operator], value), row)
            if path == "person.phones.number":
                return (
                    any(_compare(operator, one, value) for one in held)
                    if operator != "is_null"
                    else value is not bool(held)
                )
            return _compare(operator, held, value)
    raise AssertionError(node)


def _compare(operator: str, held: Any, value: Any) -> bool:
    if operator == "is_null":
        return (held is None) is value
    if held is None:
        return False
    match operator:
        case "eq":
            return bool(held == value)
        case "in":
            return held in value
        case "contains":
            return fold(value) in fold(held) if value.strip() == value else value.lower() in held.lower()
        case "starts":
            return bool(held.lower().startswith(value.lower()))
        case "lt":
            return bool(held < value)
        case "lte":
            return bool(held <= value)
        case "gt":
            return bool(held > value)
        case _:
            return bool(held >= value)


def _comparable(node: Filter) -> bool:
    """Whether both engines order the texts alike: the order of marks depends on the database's collation."""
    match node:
        case Compare("name", ("lt" | "lte" | "gt" | "gte"), value):
            return bool(value == "")
        case Compare(_, ("contains" | "starts"), value):
            return bool(value.strip() == value)
        case Compare():
            return True
        case Not(part):
            return _comparable(part)
        case All(parts) | Any_(parts):
            return all(map(_comparable, parts))
    raise AssertionError(node)


@relaxed
@given(node=filters.filter(_comparable))
def test_a_filter_keeps_exactly_the_rows_for_which_it_holds(
    empty_world: Any, rows: list[dict[str, Any]], node: Filter
) -> None:
    expected = [row["id"] for row in rows if holds(node, row)]
    with empty_world.context() as ctx:
        query = Query(where=node, size=500)
        assert [row["id"] for row in run(ctx, empty_world.deals, query).rows] == expected
        assert count(ctx, empty_world.deals, query) == (len(expected), False)
        amounts = [row["amount"] for row in rows if row["id"] in expected and row["amount"] is not None]
        assert totals(ctx, empty_world.deals, query, ["amount"]) == {
            "count": len(expected),
            "amount": sum(amounts, Decimal(0)),
        }


@relaxed
@given(node=filters.filter(lambda node: depth(normalised(node)) <= 6))
def test_a_filter_reads_back_as_it_was_written(empty_world: Any, node: Filter) -> None:
    with empty_world.context() as ctx:
        assert parse(ctx, empty_world.deals, to_pairs(node)).where == normalised(node)


sortable = st.sampled_from(
    [
        "name",
        "stage",
        "source",
        "amount",
        "seats",
        "closed_on",
        "met_at",
        "hot",
        "person",
        "person.city",
        "person.qsales.limit",
    ]
)
sorts = st.lists(st.tuples(sortable, st.booleans()), max_size=4, unique_by=lambda key: key[0])


@relaxed
@given(keys=sorts, size=st.integers(1, 25), node=st.none() | compares())
def test_pages_by_cursor_are_the_slices_of_one_big_sort(
    empty_world: Any, rows: list[dict[str, Any]], keys: list[tuple[str, bool]], size: int, node: Filter | None
) -> None:
    order = tuple(("-" if descending else "") + path for path, descending in keys)
    with empty_world.context() as ctx:
        deals = empty_world.deals
        whole = [row["id"] for row in run(ctx, deals, Query(where=node, sort=order, size=500)).rows]
        met: list[int] = []
        after = None
        for _page in range(61):
            page = run(ctx, deals, Query(where=node, sort=order, size=size, after=after), total=False)
            met += [row["id"] for row in page.rows]
            after = page.next
            if after is None:
                break
            parse(ctx, deals, [("sort", ",".join(order)), ("page[after]", after)])
        numbered = [
            row["id"]
            for number in range(1, 62)
            for row in (
                run(ctx, deals, Query(where=node, sort=order, size=size, number=number), total=False).rows
                if (number - 1) * size < 61
                else []
            )
        ]
    assert met == whole == numbered
    if not any(path in ("name", "person.city") for path, _descending in keys):
        by_id = {row["id"]: row for row in rows}
        assert whole == [row["id"] for row in sorted((by_id[i] for i in whole), key=cmp_to_key(_order(keys)))]


def _order(keys: list[tuple[str, bool]]) -> Any:
    def compare(one: dict[str, Any], other: dict[str, Any]) -> int:
        for path, descending in keys:
            a, b = one[path], other[path]
            if a == b:
                continue
            if a is None or b is None:
                return 1 if a is None else -1
            return (1 if a > b else -1) * (-1 if descending else 1)
        return (int(one["id"]) - int(other["id"])) * (-1 if keys and keys[-1][1] else 1)

    return compare


@relaxed
@given(
    node=st.none() | compares(), group=st.lists(sortable.filter(lambda path: path != "met_at"), max_size=2, unique=True)
)
def test_groups_add_up(empty_world: Any, rows: list[dict[str, Any]], node: Filter | None, group: list[str]) -> None:
    if node is not None and not _comparable(node):
        return
    expected: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        if node is None or holds(node, row):
            expected.setdefault(tuple(row[path] for path in group), []).append(row)
    with empty_world.context() as ctx:
        found = aggregate(
            ctx, empty_world.deals, node, group, ("count", "amount:sum", "seats:max", "person:count_distinct")
        )
    assert {tuple(row[path] for path in group) for row in found if group or row["count"]} == set(expected)
    for row in found:
        members = expected.get(tuple(row[path] for path in group), [])
        assert row["count"] == len(members)
        assert row["amount:sum"] == sum((m["amount"] for m in members if m["amount"] is not None), Decimal(0))
        assert row["seats:max"] == max((m["seats"] for m in members if m["seats"] is not None), default=None)
        assert row["person:count_distinct"] == len({m["person"] for m in members} - {None})


PARTS = [
    "filter",
    "[",
    "]",
    "amount",
    "name",
    "person",
    ".",
    "phones",
    "or",
    "not",
    "0",
    "in",
    "gte",
    "sort",
    "q",
    "page",
    "size",
    "after",
    "-",
]
keys = st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=3)), max_size=8).map("".join)
texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["NaN", "1e9", "9" * 40, "-0", "me", "today", "\x00", "2026-13-01", "true", "W10"]),
)


@relaxed
@given(
    pairs=st.lists(
        st.tuples(
            st.one_of(
                keys,
                st.sampled_from(
                    [
                        "filter[amount]",
                        "filter[met_at][gte]",
                        "filter[name][contains]",
                        "page[after]",
                        "filter[closed_on][within]",
                        "q",
                        "sort",
                        "filter[seats][in]",
                        "filter[person]",
                    ]
                ),
            ),
            texts,
        ),
        max_size=4,
    )
)
def test_any_parameters_are_answered_or_refused(empty_world: Any, pairs: list[tuple[str, str]]) -> None:
    status, said = outcome(empty_world, pairs)
    assert status in (200, 422)
    assert said


def outcome(world: Any, pairs: list[tuple[str, str]]) -> tuple[int, str]:
    with world.context() as ctx:
        try:
            return 200, str(run(ctx, world.deals, parse(ctx, world.deals, pairs)))
        except ComptoirError as refused:
            return refused.status, str(refused)
