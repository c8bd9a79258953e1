"""Rules of record types, carried out on the hooks that everything else follows records by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from comptoir.contributions import Rules
from comptoir.contributions.rules import TAKES
from comptoir.errors import RuleViolation, RuleViolations, SetAside
from comptoir.hookspecs.marker import hookimpl
from comptoir.i18n import _
from comptoir.registry.deadlines import into

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.db.record import Record
    from comptoir.db.workflow import Transition
    from comptoir.records.changes import Change
    from comptoir.registry.plugin import Plugin
    from comptoir.values import RecordRef


class Followed:
    """The rules of one plugin: each is called with the part of a batch that is of its type, and not where there is none."""

    def __init__(self, rules: Sequence[Rules], plugin: Plugin | None = None) -> None:
        self._rules = rules if plugin is None else [_inside(plugin, rule) for rule in rules]

    @hookimpl
    def prepare_records(self, ctx: Context, changes: Sequence[Change]) -> None:
        """Fill in what follows from the rest."""
        for rule in self._rules:
            if rule.prepare is not None and (own := _of(rule, changes)):
                rule.prepare(ctx, own)

    @hookimpl
    def check_records(self, ctx: Context, changes: Sequence[Change]) -> None:
        """Gather what is wrong."""
        _refuse(
            (rule.check, (ctx, own)) for rule in self._rules if rule.check is not None and (own := _of(rule, changes))
        )

    @hookimpl
    def on_records_saved(self, ctx: Context, changes: Sequence[Change]) -> None:
        """Follow the change."""
        for rule in self._rules:
            if rule.saved is not None and (own := _of(rule, changes)):
                rule.saved(ctx, own)

    @hookimpl
    def check_deletion(self, ctx: Context, records: Sequence[Record]) -> None:
        """Gather why they stay."""
        _refuse(
            (rule.check_deletion, (ctx, own))
            for rule in self._rules
            if rule.check_deletion is not None and (own := [r for r in records if isinstance(r, rule.model)])
        )

    @hookimpl
    def on_records_deleted(self, ctx: Context, refs: Sequence[RecordRef]) -> None:
        """Remove what the database cascade cannot reach."""
        for rule in self._rules:
            if rule.deleted is not None:
                name = ctx.registry.record_type(rule.model).name
                if own := [ref for ref in refs if ref.record_type == name]:
                    rule.deleted(ctx, own)

    @hookimpl
    def check_transition(self, ctx: Context, record: Record, transition: Transition) -> None:
        """Gather why it does not move."""
        _refuse(
            (rule.check_move, (ctx, record, transition))
            for rule in self._rules
            if rule.check_move is not None and isinstance(record, rule.model)
        )

    @hookimpl
    def on_transition(self, ctx: Context, record: Record, transition: Transition) -> None:
        """Follow the move."""
        for rule in self._rules:
            if rule.moved is not None and isinstance(record, rule.model):
                rule.moved(ctx, record, transition)


class Guard:
    """Stands for a plugin that is set aside: what its indispensable rules would have checked is refused."""

    def __init__(self, plugin: Plugin, rules: Sequence[Rules]) -> None:
        self.name = plugin.name
        self._title = plugin.manifest.title
        self._models = tuple(rule.model for rule in rules)

    @hookimpl
    def check_records(self, changes: Sequence[Change]) -> None:
        """Refuse to save unchecked."""
        self._refuse(change.record for change in changes)

    @hookimpl
    def check_deletion(self, records: Sequence[Record]) -> None:
        """Refuse to delete unchecked."""
        self._refuse(records)

    @hookimpl
    def check_transition(self, record: Record) -> None:
        """Refuse to move unchecked."""
        self._refuse([record])

    def _refuse(self, records: Iterable[Record]) -> None:
        if any(isinstance(record, self._models) for record in records):
            raise SetAside(
                _(
                    "This cannot be changed for now: the module {name}, which checks it, is set aside. "
                    "An administrator sees why on the modules page and brings it back.",
                    name=self._title,
                )
            )


def _inside(plugin: Plugin, rule: Rules) -> Rules:
    return replace(rule, **{name: into(plugin, given) for name in TAKES if (given := getattr(rule, name)) is not None})


def _of(rule: Rules, changes: Sequence[Change]) -> list[Change]:
    return [change for change in changes if isinstance(change.record, rule.model)]


def _refuse(checks: Iterable[tuple[Callable[..., Iterable[RuleViolation]], tuple[Any, ...]]]) -> None:
    violations = [violation for check, arguments in checks for violation in _found(check, arguments)]
    if violations:
        raise RuleViolations(violations)


def _found(check: Callable[..., Iterable[RuleViolation]], arguments: tuple[Any, ...]) -> Iterator[RuleViolation]:
    """The violations that a check returns; one that it raises counts as well, because it comes out of a service."""
    try:
        yield from check(*arguments) or ()
    except RuleViolation as violation:
        yield violation
    except RuleViolations as several:
        yield from several.violations
