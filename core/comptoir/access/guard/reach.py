"""Who reaches which rows, as SQL: the rule of each table for people of the same rights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    MetaData,
    Select,
    String,
    Table,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    null,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
)
from sqlalchemy.sql import ColumnElement, FromClause

from comptoir.access.guard.rules import (
    INSERT,
    READ,
    UPDATE,
    AccessRefused,
    And,
    Attached,
    Everything,
    Instead,
    Nothing,
    Own,
    Pointing,
    Rule,
    TableRule,
    Team,
    Through,
    Where,
    me,
)
from comptoir.errors import ConfigurationError
from comptoir.i18n import _

_DEEPEST = 12


class Reach:
    """What a user of some roles may see and do: the rule of each table. Equal policies share their compiled SQL.

    `records` names the table of each record type, for rows that are attached to any record. A table that is not in
    `tables` is refused.
    """

    def __init__(
        self, metadata: MetaData, tables: Mapping[str, TableRule], *, records: Mapping[str, str] | None = None
    ) -> None:
        self.metadata = metadata
        self._rules = dict(tables)
        self._records = dict(records or {})
        self._key = (metadata, frozenset(self._rules.items()), frozenset(self._records.items()))
        self._hash = hash(self._key)
        self._checks: dict[tuple[str, str], Select[Any] | None] = {}
        self._scopes: dict[str, frozenset[str] | None] = {}
        if unknown := sorted(self._rules.keys() - metadata.tables.keys()):
            raise ConfigurationError(_("No such table for an access rule: {names}.", names=", ".join(unknown)))
        for name, rule in self._rules.items():
            if missing := sorted(rule.hidden - {column.name for column in metadata.tables[name].columns}):
                raise ConfigurationError(
                    _("The table {table} has no column {names} to hide.", table=name, names=", ".join(missing))
                )

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Reach) and self._key == other._key)

    def rule_of(self, name: str) -> TableRule:
        """The rule of a table; raises AccessRefused where there is none."""
        rule = self._rules.get(name)
        if rule is None:
            raise AccessRefused(_("The table {name} declares no access rule: refused.", name=name))
        return rule

    def restricts(self, name: str, action: str) -> bool:
        """Whether some rows of a table are out of reach for an action."""
        return not self._is_everything(self.rule_of(name).rule_for(action), name, action)

    def visible(self, name: str) -> Select[Any] | None:
        """The rows and columns of a table that the user may see; None where that is the table itself."""
        rule = self.rule_of(name)
        table = self.metadata.tables[name]
        if not rule.hidden and not self.restricts(name, READ):
            return None
        row = table.alias()
        columns = [
            cast(null(), column.type).label(column.name) if column.name in rule.hidden else row.columns[column.key]
            for column in table.columns
        ]
        return select(*columns).select_from(row).where(self.condition(rule.read, row, name, READ))

    def reachable(self, name: str, row: FromClause, action: str) -> ColumnElement[bool]:
        """Whether the user may do `action` with a row, which includes seeing it."""
        rule = self.rule_of(name)
        return and_(
            self.condition(rule.read, row, name, READ),
            self.condition(rule.rule_for(action), row, name, action) if action != READ else true(),
        )

    def condition(self, rule: Rule, row: FromClause, name: str, action: str, depth: int = 0) -> ColumnElement[bool]:
        """The rule of `action` on the table `name` as SQL about `row`, the table or an alias of it."""
        if depth > _DEEPEST:
            raise ConfigurationError(_("The access rule of {name} goes round in a circle.", name=name))
        if self._is_everything(rule, name, action):
            return true()
        match rule:
            case Everything():
                return true()
            case Nothing():
                return false()
            case Own(column):
                return row.c[column] == me()
            case Team(owner_column, team_column):
                return or_(row.c[owner_column] == me(), row.c[team_column].in_(self._teams()))
            case Through(column, parent_name, writing):
                changed = self._seen(row.c[column], parent_name, READ if action == READ else writing, depth)
                if action == INSERT and writing == UPDATE:  # who may create a record creates its lines with it
                    return or_(changed, self._seen(row.c[column], parent_name, INSERT, depth))
                return changed
            case Attached():
                return self._attached(rule, row, depth)
            case Pointing(column, types):
                return self._pointing(type_coerce(row.c[column], String()), types, depth)
            case Instead(parent, pointing, nobodys):
                named, other = row.c[parent.column], row.c[pointing.column]
                return or_(
                    and_(named.is_not(None), self.condition(parent, row, name, action, depth)),
                    and_(named.is_(None), self.condition(pointing, row, name, action, depth)),
                    and_(named.is_(None), other.is_(None), self.condition(nobodys, row, name, action, depth)),
                )
            case Where(_, builder):
                return builder(row)
            case And(rules):
                return and_(true(), *(self.condition(part, row, name, action, depth) for part in rules))

    def _seen(self, reference: ColumnElement[Any], name: str, action: str, depth: int) -> ColumnElement[bool]:
        rule = self._rules.get(name)
        if rule is None:
            return false()
        wanted = [READ] if action == READ else [READ, action]
        if all(self._is_everything(rule.rule_for(each), name, each) for each in wanted):
            return reference.is_not(None)
        table = self.metadata.tables[name]
        parent = table.alias()
        (key,) = table.primary_key.columns
        return exists().where(
            parent.c[key.key] == reference,
            *(self.condition(rule.rule_for(each), parent, name, each, depth + 1) for each in wanted),
        )

    def _attached(self, attached: Attached, row: FromClause, depth: int) -> ColumnElement[bool]:
        type_column, id_column = row.c[attached.type_column], row.c[attached.id_column]
        open_types = []
        ruled = []
        for type_name, table_name in sorted(self._records.items()):
            rule = self._rules.get(table_name)
            if rule is None or isinstance(rule.read, Nothing):
                continue
            if self._is_everything(rule.read, table_name, READ):
                open_types.append(type_name)
            else:
                likely = self._likely(attached, rule.read, row)
                ruled.append(and_(type_column == type_name, likely, self._seen(id_column, table_name, READ, depth)))
        if open_types:
            ruled.append(type_column.in_(open_types))
        return or_(false(), *ruled)

    def _pointing(self, reference: ColumnElement[str], types: Sequence[str], depth: int) -> ColumnElement[bool]:
        """Whether a text such as ``sales.deal/7`` leads to a record that the user may see."""
        led: list[ColumnElement[bool]] = []
        for type_name in types:
            start = f"{type_name}/"
            leads_there = reference.startswith(start, autoescape=True)
            # PostgreSQL may look at any condition first: only CASE keeps the number of another type's text from being read
            number = case((leads_there, cast(func.substr(reference, len(start) + 1), BigInteger())))
            led.append(and_(leads_there, self._seen(number, self._records[type_name], READ, depth)))
        return or_(false(), *led)

    def _likely(self, attached: Attached, rule: Rule, row: FromClause) -> ColumnElement[bool]:
        """What the row's copies of owner and team say of the record's rule, where they say anything."""
        match rule:
            case Own("owner_id") if attached.owner_column is not None:
                return row.c[attached.owner_column] == me()
            case Team("owner_id", "team_id") if attached.owner_column is not None and attached.team_column is not None:
                return or_(row.c[attached.owner_column] == me(), row.c[attached.team_column].in_(self._teams()))
            case And(rules):
                return and_(true(), *(self._likely(attached, part, row) for part in rules))
            case _:
                return true()

    def _teams(self) -> Select[Any]:
        closure = self.metadata.tables["core_team_closure"].alias()
        member = self.metadata.tables["core_team_member"].alias()
        return (
            select(closure.c.descendant_id)
            .join_from(closure, member, member.c.team_id == closure.c.ancestor_id)
            .where(member.c.user_id == me())
        )

    def _is_everything(self, rule: Rule, name: str, action: str, depth: int = 0) -> bool:
        match rule:
            case Everything():
                return True
            case And(rules):
                return all(self._is_everything(part, name, action, depth) for part in rules)
            case Through(column, parent_name, writing):
                parent = self._rules.get(parent_name)
                if parent is None or depth > _DEEPEST or self.metadata.tables[name].c[column].nullable:
                    return False
                wanted = [READ] if action == READ else [READ, writing]
                return all(self._is_everything(parent.rule_for(a), parent_name, a, depth + 1) for a in wanted)
            case _:
                return False

    def scope_columns(self, name: str) -> frozenset[str] | None:
        """The columns that decide who reaches a row, whose change must be checked; None for any column."""
        if name not in self._scopes:
            self._scopes[name] = self._deciding(name)
        return self._scopes[name]

    def _deciding(self, name: str) -> frozenset[str] | None:
        table = self.metadata.tables[name]
        found = {column.name for column in table.primary_key.columns}
        rule = self.rule_of(name)
        pending: list[tuple[Rule, str]] = [(rule.read, READ), (rule.update, UPDATE)]
        while pending:
            part, action = pending.pop()
            if self._is_everything(part, name, action):
                continue
            match part:
                case Own(column) | Through(column, _, _):
                    found.add(column)
                case Team(owner_column, team_column):
                    found.update((owner_column, team_column))
                case Pointing(column):
                    found.add(column)
                case Instead(parent, pointing):
                    found.update((parent.column, pointing.column))
                case Attached(type_column, id_column, _, _):
                    found.update((type_column, id_column))
                case And(rules):
                    pending.extend((each, action) for each in rules)
                case Where():
                    return None
                case Everything() | Nothing():
                    pass
        return frozenset(found)

    def proves(
        self,
        name: str,
        action: str,
        user_id: int | None,
        value: Callable[[str], Any],
        parents: Collection[tuple[str, Any]],
    ) -> bool:
        """Whether the columns of a row alone tell that the user may do `action` with it, so that nothing is asked.

        `value` gives a column's value; `parents` are rows, by table and key, for which the same is sure.
        """
        rule = self.rule_of(name)
        return all(
            self._holds(part, name, action, user_id, value, parents) for part in (rule.read, rule.rule_for(action))
        )

    def _holds(
        self,
        rule: Rule,
        name: str,
        action: str,
        user_id: int | None,
        value: Callable[[str], Any],
        parents: Collection[tuple[str, Any]],
    ) -> bool:
        """False where the columns do not tell, which is no refusal."""
        if self._is_everything(rule, name, action):
            return True
        match rule:
            case Own(column) | Team(column, _):
                owner = value(column)
                return isinstance(owner, int) and owner == user_id
            case Through(column, parent_name):
                return (parent_name, value(column)) in parents
            case And(rules):
                return all(self._holds(part, name, action, user_id, value, parents) for part in rules)
        return False

    def check(self, name: str, action: str) -> Select[Any] | None:
        """Counts which of the rows `keys` are within reach for `action`; None where all are."""
        if (name, action) not in self._checks:
            self._checks[name, action] = self._make_check(name, action)
        return self._checks[name, action]

    def _make_check(self, name: str, action: str) -> Select[Any] | None:
        if not self.restricts(name, READ) and not self.restricts(name, action):
            return None
        table = self.metadata.tables[name]
        return count_of(table).where(self.reachable(name, table, action))


def count_of(table: Table) -> Select[Any]:
    keys = list(table.primary_key.columns)
    key = keys[0] if len(keys) == 1 else tuple_(*keys)
    return select(func.count()).select_from(table).where(key.in_(bindparam("keys", expanding=True)))
