"""The URL form of a query: read into a checked tree, written back for links."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from comptoir.errors import RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.query import cursor as cursors
from comptoir.records.query.paths import PLAIN, Path, refuse, resolve, unknown
from comptoir.records.query.tree import (
    DEFAULT_SIZE,
    MAX_SIZE,
    ONLY,
    WITH,
    WITHOUT,
    All,
    Any_,
    Compare,
    Filter,
    Not,
    Query,
    depth,
    normalised,
)
from comptoir.records.query.values import MAX_VALUES, check_operator, coerce, format_value, parse_value

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

MAX_COMPARISONS = 40
MAX_DEPTH = 6
MAX_OFFSET = 10_000
MAX_FIELDS = 100
MAX_SORTS = 5
MAX_KEY = 300
MAX_QUERY_TEXT = 200

KEY = re.compile(r"filter((?:\[[^\[\]]*\])+)\Z", re.DOTALL)
PART = re.compile(r"\[([^\[\]]*)\]", re.DOTALL)
INDEX = re.compile(r"\d{1,3}\Z", re.ASCII)
GROUPS = ("or", "and", "not")

PARAMETERS = (
    "filter[…]",
    "sort",
    "fields",
    "q",
    "archived",
    "page[size]",
    "page[number]",
    "page[after]",
)


def parse(
    ctx: Context, declared: DeclaredType, pairs: Iterable[tuple[str, str]], *, also: Collection[str] = ()
) -> Query:
    """The query that these parameters ask for; everything wrong with them is reported at once, each by its name.

    ``also`` names further parameters that the caller reads itself; any other is refused.
    """
    found: dict[str, Any] = {}
    filters: list[tuple[str, list[str], str]] = []
    violations: list[RuleViolation] = []
    for key, text in pairs:
        try:
            if key.startswith("filter"):
                filters.append((key, _parts(key), text))
            elif key in _SINGLE:
                name, read = _SINGLE[key]
                if name in found:
                    raise refuse("core.twice", _("Give {name} once.", name=key), key)
                found[name] = read(ctx, declared, text)
            elif key not in also:
                raise unknown("core.unknown_parameter", _("parameter"), key, [*PARAMETERS, *also], key)
        except RuleViolation as violation:
            violations.append(violation)
    try:
        found["where"] = _group(ctx, declared, filters, violations)
        _check_query(Query(**found))
    except RuleViolation as violation:
        violations.append(violation)
    if len(violations) == 1:
        raise violations[0]
    if violations:
        raise RuleViolations(violations)
    return Query(**found)


def parse_filter(ctx: Context, declared: DeclaredType, pairs: Iterable[tuple[str, str]]) -> Filter | None:
    """The filter alone, for saved filters and reports; any other parameter is refused."""
    given = list(pairs)
    for key, _text in given:
        if not key.startswith("filter"):
            raise unknown("core.unknown_parameter", _("parameter"), key, PARAMETERS[:1], key)
    return parse(ctx, declared, given).where


def where(declared: DeclaredType, path: str, operator: str = "eq", value: Any = True) -> Filter:
    """A comparison from code: ``where(deals, "stage", "eq", "won")``.

    Own fields are checked here, names behind a dot when the query runs. Read rights hold for it as for any filter.
    """
    own = PLAIN[path] if path in PLAIN else declared.fields.get(declared.by_path.get(path, ""))
    if own is None:
        if "." not in path:
            raise unknown("core.unknown_field", _("field"), path, [*declared.by_path, *PLAIN], path)
        return Compare(path, operator, tuple(value) if operator in ("in", "nin") else value)
    wire = declared.by_path.get(path, path)
    plain = Path(wire[: len(wire) - len(own.name)] + own.path, wire, own, own.name, declared)
    check_operator(plain, operator, path)
    return Compare(plain.name, operator, coerce(own, operator, value, path))


# -- writing ------------------------------------------------------------------------------------------------------------


def to_pairs(query: Filter | Query | None) -> list[tuple[str, str]]:
    """The parameters that `parse` reads back to the same filter or query."""
    if query is None:
        return []
    if not isinstance(query, Query):
        return list(_write("filter", normalised(query)))
    pairs = to_pairs(query.where)
    if query.text:
        pairs.append(("q", query.text))
    if query.sort:
        pairs.append(("sort", ",".join(query.sort)))
    if query.fields:
        pairs.append(("fields", ",".join(query.fields)))
    if query.archived != WITHOUT:
        pairs.append(("archived", query.archived))
    if query.size != DEFAULT_SIZE:
        pairs.append(("page[size]", str(query.size)))
    if query.number != 1:
        pairs.append(("page[number]", str(query.number)))
    if query.after is not None:
        pairs.append(("page[after]", query.after))
    return pairs


def _write(prefix: str, node: Filter) -> Iterable[tuple[str, str]]:
    match node:
        case Compare(path, "eq", value):
            yield f"{prefix}[{path}]", format_value(value)
        case Compare(path, operator, value):
            yield f"{prefix}[{path}][{operator}]", format_value(value)
        case Not(part):
            yield from _write(f"{prefix}[not]", part)
        case Any_(parts):
            for position, part in enumerate(parts):
                yield from _write(f"{prefix}[or][{position}]", part)
        case All(parts):
            kinds = [(part.path, part.operator) if isinstance(part, Compare) else type(part) for part in parts]
            apart = len(set(kinds)) < len(kinds)
            for position, part in enumerate(parts):
                yield from _write(f"{prefix}[and][{position}]" if apart else prefix, part)


# -- reading ------------------------------------------------------------------------------------------------------------


def _parts(key: str) -> list[str]:
    match = KEY.match(key) if len(key) <= MAX_KEY else None
    if match is None:
        raise refuse(
            "core.bad_filter", _("Write a filter as filter[field]=value or filter[field][operator]=value."), key
        )
    return PART.findall(match[1])


Entry = tuple[str, list[str], str]


def _group(
    ctx: Context, declared: DeclaredType, entries: list[Entry], violations: list[RuleViolation]
) -> Filter | None:
    """The filter of the parameters below one prefix: all of them hold; its parts in the order of first appearance."""
    parts: dict[tuple[Any, ...], list[Any]] = {}
    if len(entries) > MAX_COMPARISONS:
        raise refuse(
            "core.too_many_filters", _("A filter takes {limit} comparisons.", limit=MAX_COMPARISONS), entries[0][0]
        )
    for entry in entries:
        key, path, text = entry
        try:
            if path[0] in GROUPS:
                inner = path[1:] if path[0] == "not" else path[2:]
                if not inner or (path[0] != "not" and not INDEX.match(path[1])):
                    raise refuse(
                        "core.bad_filter",
                        _("Write a group as filter[or][0][field]=value, a negation as filter[not][field]=value."),
                        key,
                    )
                parts.setdefault(("group", path[0]), []).append((path[1], (key, inner, text)))
            else:
                _gather_comparison(ctx, declared, entry, parts)
        except RuleViolation as violation:
            violations.append(violation)
    found: list[Filter] = []
    for slot, held in parts.items():
        if slot[0] == "group":
            group = _subgroup(ctx, declared, slot[1], held, violations)
            if group is not None:
                found.append(group)
        else:
            found += held
    return normalised(All(tuple(found))) if found else None


def _subgroup(
    ctx: Context,
    declared: DeclaredType,
    kind: str,
    held: list[tuple[str, Entry]],
    violations: list[RuleViolation],
) -> Filter | None:
    if kind == "not":
        inner = _group(ctx, declared, [entry for _index, entry in held], violations)
        return Not(inner) if inner is not None else None
    indexed: dict[int, list[Entry]] = {}
    for index, entry in held:
        indexed.setdefault(int(index), []).append(entry)
    members = tuple(
        group for entries in indexed.values() if (group := _group(ctx, declared, entries, violations)) is not None
    )
    if not members:
        return None
    return Any_(members) if kind == "or" else All(members)


def _gather_comparison(
    ctx: Context, declared: DeclaredType, entry: Entry, parts: dict[tuple[Any, ...], list[Any]]
) -> None:
    key, path_and_operator, text = entry
    if len(path_and_operator) > 2:
        raise refuse("core.bad_filter", _("Write a filter as filter[field][operator]=value."), key)
    name = path_and_operator[0]
    operator = path_and_operator[1] if len(path_and_operator) == 2 else "eq"
    path = resolve(ctx, declared, name, key)
    check_operator(path, operator, key)
    value = parse_value(ctx, path, operator, text, key)
    held = parts.setdefault((path.name, operator), [])
    if operator == "in" and held:  # a form with several ticked boxes repeats its parameter
        value = (*held[0].value, *value)
        if len(value) > MAX_VALUES:
            raise refuse("core.too_many_values", _("Give at most {limit} values.", limit=MAX_VALUES), key)
        held[0] = Compare(path.name, operator, value)
    else:
        held.append(Compare(path.name, operator, value))


def _check_query(query: Query) -> None:
    if query.where is not None and depth(query.where) > MAX_DEPTH:
        raise refuse("core.too_deep", _("Groups nest {limit} deep at most.", limit=MAX_DEPTH), "filter")
    if query.after is not None and query.number != 1:
        raise refuse("core.two_pages", _("Give page[number] or page[after], not both."), "page[after]")
    if query.number * query.size > MAX_OFFSET + query.size:
        raise refuse(
            "core.too_far",
            _(
                "Pages by number reach {limit} rows. Go on with page[after] and the cursor of the last answer.",
                limit=f"{MAX_OFFSET:,}",
            ),
            "page[number]",
        )
    if query.after is not None:
        cursors.check(query.after, query.sort)


def _sort(ctx: Context, declared: DeclaredType, text: str) -> tuple[str, ...]:
    found: list[str] = []
    for part in _names(text, MAX_SORTS, "sort"):
        path = resolve(ctx, declared, part.removeprefix("-"), "sort")
        check_sortable(path)
        found.append(("-" if part.startswith("-") else "") + path.name)
    return tuple(found)


def check_sortable(path: Path) -> None:
    """Refuse to sort by lines, long texts and what is declared not sortable."""
    if not path.field.sorts or path.lines:
        raise refuse("core.not_sortable", _("A list cannot be sorted by {name}.", name=path.name), "sort")


def _fields(ctx: Context, declared: DeclaredType, text: str) -> tuple[str, ...]:
    found: list[str] = []
    for part in _names(text, MAX_FIELDS, "fields"):
        path = resolve(ctx, declared, part, "fields")
        if path.lines or (path.field.kind.lined and path.steps):
            raise refuse(
                "core.not_a_column", _("Ask for {name} as a whole.", name=path.name.rpartition(".")[0]), "fields"
            )
        found.append(path.key)
    return tuple(dict.fromkeys(found))


def _names(text: str, limit: int, parameter: str) -> list[str]:
    names = text[:20_000].split(",") if text else []
    if len(names) > limit or len(text) > 20_000:
        raise refuse("core.too_many_names", _("Give at most {limit} names.", limit=limit), parameter)
    return names


def _whole(parameter: str, text: str, least: int, most: int) -> int:
    if not re.match(r"\d{1,9}\Z", text, re.ASCII) or not least <= int(text) <= most:
        raise refuse(
            "core.out_of_range",
            _("Give a whole number from {least} to {most}.", least=least, most=f"{most:,}"),
            parameter,
        )
    return int(text)


def _archived(text: str) -> str:
    known = (WITHOUT, ONLY, WITH)
    if text not in known:
        raise unknown("core.unknown_value", _("value"), text, known, "archived")
    return text


def _text(text: str) -> str:
    if len(text) > MAX_QUERY_TEXT:
        raise refuse("core.too_long", _("Look for at most {limit} characters.", limit=MAX_QUERY_TEXT), "q")
    return text


_SINGLE: dict[str, tuple[str, Any]] = {
    "sort": ("sort", _sort),
    "fields": ("fields", _fields),
    "q": ("text", lambda _ctx, _declared, text: _text(text)),
    "archived": ("archived", lambda _ctx, _declared, text: _archived(text)),
    "page[size]": ("size", lambda _ctx, _declared, text: _whole("page[size]", text, 1, MAX_SIZE)),
    "page[number]": ("number", lambda _ctx, _declared, text: _whole("page[number]", text, 1, 10**9 - 1)),
    "page[after]": ("after", lambda _ctx, _declared, text: text),
}
