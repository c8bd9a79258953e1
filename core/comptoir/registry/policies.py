"""What a set of grants means for every table: the policy that the user engine compiles into its SQL."""

from __future__ import annotations

from typing import Any

from comptoir.access.guard import (
    And,
    Attached,
    Everything,
    Instead,
    Nothing,
    Own,
    Pointing,
    Policy,
    Rule,
    TableRule,
    Through,
    Where,
)
from comptoir.access.guard import Team as TeamRule
from comptoir.access.permissions import Grants
from comptoir.db.base import Base
from comptoir.db.record import Extension, Line, Public, Record, Scoped
from comptoir.db.record import Through as VisibleThrough
from comptoir.records.views import SavedView
from comptoir.registry.registry import Registry
from comptoir.registry.views import seen_within

SECRET_COLUMNS = {
    "core_user": frozenset({"password_hash", "email_key", "credential_version"}),
}
"""Columns that no person's session ever reads."""

KEPT_COLUMNS = {"core_user": frozenset({"email_key"})}
"""Those of them that follow from a column that people write."""

BY_SCOPE: dict[str | None, Rule] = {"own": Own(), "team": TeamRule(), "all": Everything(), None: Nothing()}


def policy_for(registry: Registry, grants: Grants) -> Policy:
    """The policy of everyone who holds exactly these grants; built once per generation and set of grants."""
    cached: Policy | None = registry._policies.get(grants)
    if cached is None:
        cached = registry._policies[grants] = _build(registry, grants)
    return cached


def _build(registry: Registry, grants: Grants) -> Policy:
    rules: dict[str, TableRule] = {
        # people and teams stand behind every owner column, so everyone signed in may read their names
        "core_user": TableRule(
            read=Everything(),
            update=_scope_rule(grants, "base.user.write"),
            delete=_scope_rule(grants, "base.user.delete"),
            insert=grants.scope("base.user.create") is not None,
            hidden=SECRET_COLUMNS["core_user"],
            kept=KEPT_COLUMNS["core_user"],
        ),
        "core_team": TableRule(
            read=Everything(),
            update=_scope_rule(grants, "base.team.write"),
            delete=_scope_rule(grants, "base.team.delete"),
            insert=grants.scope("base.team.create") is not None,
        ),
        SavedView.__tablename__: TableRule(
            read=seen_within(registry, grants, BY_SCOPE[grants.scope("base.view.read")]),
            update=seen_within(registry, grants, BY_SCOPE[grants.scope("base.view.write")]),
            delete=seen_within(registry, grants, BY_SCOPE[grants.scope("base.view.delete")]),
            insert=seen_within(registry, grants, BY_SCOPE[grants.scope("base.view.create")]),
        ),
        # what a record is found by is seen with the record
        "core_search": TableRule(read=Attached(owner_column="owner_id", team_column="team_id")),
    }
    for model in registry.models:
        if model.__tablename__ in rules:
            continue
        if issubclass(model, Record):
            rules[model.__tablename__] = _record_rule(registry, grants, model)
        elif issubclass(model, Extension):
            rules[model.__tablename__] = _side_rule(registry, grants, model, "record_id", model.extended())
        elif issubclass(model, Line):
            rules[model.__tablename__] = _line_rule(registry, grants, model)
        else:
            rules[model.__tablename__] = _plain_rule(model)
    records = {declared.name: declared.table.name for declared in registry.record_types.values()}
    return Policy(Base.metadata, rules, records=records)


def _scope_rule(grants: Grants, permission: str) -> Rule:
    return Everything() if grants.scope(permission) is not None else Nothing()


def _record_rule(registry: Registry, grants: Grants, model: type[Record]) -> TableRule:
    declared = registry.record_type(model)

    def rule(action: str) -> Rule:
        scope = grants.scope(declared.permission(action))
        base: Rule
        if scope is None:
            return Nothing()
        if isinstance(declared.declaration.visible, Scoped):
            base = BY_SCOPE[scope]
        elif isinstance(declared.declaration.visible, VisibleThrough):
            column = declared.declaration.visible.column
            # who sees a contact may add to its history; a line, in contrast, is part of its record
            base = through = Through(column, _target(model, column), writing="read")
            if declared.otherwise is not None:
                types = tuple(sorted(d.name for d in registry.record_types.values() if d.carries_others))
                # what was about a module that is uninstalled is kept for its return, in nobody's sight but administrators'
                nobodys = Everything() if grants.administrator else Nothing()
                base = Instead(through, Pointing(declared.otherwise[1], types), nobodys)
            if scope != "all":
                base = And((base, BY_SCOPE[scope]))
        else:
            base = Everything()
        return _narrowed(registry, model, action, base)

    hidden = [
        declared.fields[name]
        for name in declared.hidden_fields(grants)
        if "." not in name and declared.fields[name].computed is None
    ]
    return TableRule(
        read=rule("read"),
        update=rule("write"),
        delete=rule("delete"),
        insert=rule("create"),
        hidden=frozenset(field.name for field in hidden),
        kept=frozenset(field.name for field in hidden if field.server),
    )


def _narrowed(registry: Registry, model: type[Record], action: str, base: Rule) -> Rule:
    parts: list[Rule] = [base]
    table: Any = model.__table__
    for implementation in registry.hooks.narrow_query.get_hookimpls():

        def condition(aliased: Any, ask: Any = implementation) -> Any:
            arguments = {"model": model, "action": action, "table": aliased}
            return ask.function(**{name: arguments[name] for name in ask.argnames})

        if condition(table) is not None:
            parts.append(
                Where((implementation.plugin_name, model.__tablename__, action, registry.generation), condition)
            )
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _side_rule(registry: Registry, grants: Grants, model: type[Any], column: str, parent: type[Record]) -> TableRule:
    declared = registry.record_type(parent)
    may_write = any(grants.scope(declared.permission(action)) is not None for action in ("write", "create"))
    through = Through(column, parent.__tablename__)
    prefix = model.__module__.split(".")[0].removeprefix("comptoir_")
    hidden = [
        declared.fields[name]
        for name in declared.hidden_fields(grants)
        if name.startswith(prefix + ".") and declared.fields[name].computed is None
    ]
    return TableRule(
        read=through,
        update=through if may_write else Nothing(),
        delete=through if may_write else Nothing(),
        insert=may_write,
        hidden=frozenset(field.name for field in hidden),
        kept=frozenset(field.name for field in hidden if field.server),
    )


def _line_rule(registry: Registry, grants: Grants, model: type[Line]) -> TableRule:
    parent_table = _target(model, model.__parent__)
    declared = registry.by_table.get(parent_table)
    if declared is None:
        return TableRule(read=Nothing(), update=Nothing(), delete=Nothing(), insert=False)
    return _side_rule(registry, grants, model, model.__parent__, declared.model)


def _plain_rule(model: type[Base]) -> TableRule:
    visible = model.__visible__
    read: Rule = (
        Everything() if isinstance(visible, Public) else Through(visible.column, _target(model, visible.column))
    )
    return TableRule(read=read, update=Nothing(), delete=Nothing(), insert=False)


def _target(model: type[Base], column: str) -> str:
    table: Any = model.__table__
    foreign_key = next(iter(table.c[column].foreign_keys))
    return str(foreign_key.target_fullname).partition(".")[0]
