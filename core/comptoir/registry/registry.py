"""Everything that one generation knows: built once from the enabled modules, then read by every request and job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import pluggy
from sqlalchemy import Table

from comptoir.access.models import Team, User
from comptoir.access.permissions import Grants
from comptoir.contributions import (
    ACTIONS,
    Contribution,
    DeferredWork,
    Job,
    List,
    Permission,
    Rules,
    ScreenAddition,
    Screens,
    Section,
)
from comptoir.contributions import Form as FormScreen
from comptoir.db.base import Base
from comptoir.db.fields import fields_of
from comptoir.db.light import model_of
from comptoir.db.record import Extension, Record, module_of
from comptoir.errors import NotFound, PluginError
from comptoir.i18n import Text, _
from comptoir.records.declared import DeclaredType
from comptoir.records.views import SavedView
from comptoir.registry import people, views
from comptoir.registry.deadlines import into
from comptoir.registry.discover import Available, fits, in_order
from comptoir.registry.plugin import Plugin, load_plugin, new_hook_relay, readable
from comptoir.registry.rules import Followed, Guard

C = TypeVar("C", bound=Contribution)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A module that is enabled but does not run, and why."""

    name: str
    phase: str
    """import, build or hook."""
    reason: str


class Registry:
    """The enabled plugins of a deployment with all they contribute; immutable once built."""

    def __init__(
        self,
        plugins: Sequence[Plugin],
        *,
        generation: int = 0,
        available: Mapping[str, Available] | None = None,
        quarantined: Sequence[Quarantined] = (),
        guards: Sequence[Guard] = (),
        unready: Text | str = "",
    ) -> None:
        self.generation = generation
        self.unready = unready
        """Why nothing may be done with the records for the moment; such a registry has no work for jobs."""
        self.available = dict(available or {})
        self.plugins: Mapping[str, Plugin] = {plugin.name: plugin for plugin in plugins}
        self.quarantined: Mapping[str, Quarantined] = {fault.name: fault for fault in quarantined}
        self.manager = self._relay(plugins, guards)
        self.hooks = self.manager.hook
        self._policies: dict[Any, Any] = {}

    @staticmethod
    def _relay(plugins: Sequence[Plugin], guards: Sequence[Guard]) -> pluggy.PluginManager:
        manager = new_hook_relay()
        for plugin in plugins:
            for hooks in plugin.hook_modules:
                manager.add_hookspecs(hooks)
        for plugin in reversed(plugins):  # pluggy calls the last registered first: base speaks before its dependants
            for position, module in reversed(list(enumerate(plugin.modules))):
                manager.register(module, name=plugin.name if position == 0 else f"{plugin.name}/{position}")
                for caller in manager.get_hookcallers(module) or ():
                    for implementation in caller.get_hookimpls():
                        if implementation.plugin is module:
                            # final for type checkers; every way of calling a hook takes it from here
                            implementation.function = into(plugin, implementation.function)  # type: ignore[misc]
            if rules := plugin.of(Rules):
                manager.register(Followed(rules, plugin), name=f"{plugin.name}/rules")
        for guard in guards:
            manager.register(guard, name=f"{guard.name}/guard")
        manager.register(Followed([views.RULES]), name="core/rules")
        manager.register(people, name="core")
        return manager

    def contributions(self, kind: type[C]) -> list[tuple[Plugin, C]]:
        """Every contribution of a kind with the plugin that brought it, in dependency order."""
        return [(plugin, value) for plugin in self.plugins.values() for value in plugin.of(kind)]

    def offered(self, kind: type[C], grants: Grants) -> list[tuple[Plugin, C]]:
        """The contributions of a kind that somebody with these rights sees, in the order in which they are shown."""
        shown = [(plugin, value) for plugin, value in self.contributions(kind) if value.is_for(grants)]
        return sorted(shown, key=lambda pair: getattr(pair[1], "order", 0))

    # -- record types ---------------------------------------------------------------------------------------------------

    @cached_property
    def models(self) -> tuple[type[Base], ...]:
        """Every mapped class of the enabled plugins, and the users, teams and saved views of the core."""
        return (User, Team, SavedView, *(model for plugin in self.plugins.values() for model in plugin.models))

    @cached_property
    def _by_model(self) -> Mapping[type[Record], DeclaredType]:
        extensions: dict[type[Record], list[type[Extension[Any]]]] = {}
        for model in self.models:
            if issubclass(model, Extension):
                extensions.setdefault(model.extended(), []).append(model)
        return {
            model: DeclaredType(model, tuple(sorted(extensions.get(model, ()), key=lambda e: e.__tablename__)))
            for model in self.models
            if issubclass(model, Record)
        }

    @cached_property
    def record_types(self) -> Mapping[str, DeclaredType]:
        """Record types by name."""
        return {declared.name: declared for declared in self._by_model.values()}

    @cached_property
    def by_table(self) -> Mapping[str, DeclaredType]:
        """Record types by table name, as references name them."""
        return {declared.table.name: declared for declared in self._by_model.values()}

    def record_type(self, key: str | type[Record]) -> DeclaredType:
        """The record type with this name or class; `NotFound` when its module is off."""
        found = self.record_types.get(key) if isinstance(key, str) else self._by_model.get(model_of(key))
        if found is None:
            name = key if isinstance(key, str) else key.__name__
            known = ", ".join(self.record_types)
            raise NotFound(_("There is no record type {name} here. Known: {known}.", name=name, known=known))
        return found

    def target_of(self, address: str) -> DeclaredType | None:
        """The record type that a reference points at, by its table or its name, if its module is on."""
        return self.by_table.get(address) or self.record_types.get(address)

    @cached_property
    def any_record_fields(self) -> Sequence[tuple[type[Base], str]]:
        """The models of records, extensions and lines with their fields that may point at a record of any type."""
        return tuple(
            (model, name)
            for model in self.models
            for name, described in fields_of(model).items()
            if described.kind.points_anywhere
        )

    def table(self, name: str) -> Table:
        """A table by name."""
        return Base.metadata.tables[name]

    # -- rights -----------------------------------------------------------------------------------------------------------

    @cached_property
    def permissions(self) -> Mapping[str, Permission]:
        """Every permission that a role can hold, those of the record types included."""
        found = {"core.admin": Permission("core.admin", _("Administer everything"))}
        for declared in self._by_model.values():
            for action, verb in ACTIONS:
                name = declared.permission(action)
                found[name] = Permission(name, _("{verb} {plural}", verb=verb, plural=declared.declaration.plural))
        for _plugin, permission in self.contributions(Permission):
            found[permission.name] = permission
        return found

    def permission_label(self, name: str) -> str:
        """What a permission is called on screens."""
        permission = self.permissions.get(name)
        return str(permission.label) if permission is not None else name

    # -- screens ------------------------------------------------------------------------------------------------------------

    @cached_property
    def _screens(self) -> Mapping[type[Record], Screens]:
        return {screens.model: screens for _plugin, screens in self.contributions(Screens)}

    @cached_property
    def additions(self) -> Mapping[type[Record], Sequence[tuple[str, ScreenAddition]]]:
        """What plugins add to the screens of each record type, with the plugin's name."""
        found: dict[type[Record], list[tuple[str, ScreenAddition]]] = {}
        for plugin, addition in self.contributions(ScreenAddition):
            found.setdefault(addition.model, []).append((plugin.name, addition))
        return found

    def screens(self, declared: DeclaredType) -> Screens:
        """The screens of a record type; plain ones made from its fields where none are contributed."""
        found = self._screens.get(declared.model)
        if found is not None:
            return found
        own = [
            getattr(declared.model, name)
            for name, described in declared.fields.items()
            if "." not in name and not described.server and described.line is None
        ]
        shown = sorted(own, key=lambda column: column.key != declared.title)
        return Screens(declared.model, List(*shown[:7]), FormScreen(Section(declared.declaration.label, *shown)))

    # -- jobs ---------------------------------------------------------------------------------------------------------------

    @cached_property
    def jobs(self) -> Mapping[str, Job]:
        """Scheduled jobs by name."""
        if self.unready:
            return {}
        return {job.name: job for job in (*people.JOBS, *(job for _plugin, job in self.contributions(Job)))}

    @cached_property
    def deferred_work(self) -> Mapping[str, DeferredWork]:
        """Deferred work by name."""
        if self.unready:
            return {}
        return {work.name: work for _plugin, work in self.contributions(DeferredWork)}


def build_registry(
    available: Mapping[str, Available],
    enabled: Iterable[str],
    *,
    generation: int = 0,
    set_aside: Mapping[str, Quarantined] | None = None,
    unready: Text | str = "",
) -> Registry:
    """Load the enabled plugins in the order of their needs; what fails is set aside with its reason, the rest is built.

    ``set_aside`` are enabled plugins that do not run although they load: what their indispensable rules guard is refused.
    """
    names = list(dict.fromkeys(["base", *enabled]))
    faults: list[Quarantined] = []
    plugins: list[Plugin] = []
    guards: list[Guard] = []
    aside = set_aside or {}
    missing = str(_("Its distribution is not installed. Install it, or pause the module."))
    faults += [Quarantined(name, "import", missing) for name in names if name not in available]
    ordered = [name for name in in_order(available, names) if name in names]
    for name in ordered:
        try:
            _check_requirements(available, name, {p.name for p in plugins})
            needed = {"base", *available[name].requires}
            hooks = [module for other in plugins if other.name in needed for module in other.hook_modules]
            plugin = load_plugin(available[name], [n for n in ordered if n != name], hooks)
            _check_clashes(plugin, plugins)
            if name in aside:
                faults.append(aside[name])
                guards += [
                    Guard(plugin, rules) for rules in [[r for r in plugin.of(Rules) if r.indispensable]] if rules
                ]
                continue
        except PluginError as error:
            if name == "base":
                raise
            faults.append(Quarantined(name, "build", str(error.message)))
            continue
        plugins.append(plugin)
    while True:
        try:
            return Registry(
                plugins, generation=generation, available=available, quarantined=faults, guards=guards, unready=unready
            )
        except (pluggy.PluginValidationError, ValueError) as error:
            culprit = plugins.pop()
            faults.append(Quarantined(culprit.name, "build", readable(error)))


def _check_requirements(available: Mapping[str, Available], name: str, loaded: set[str]) -> None:
    for needed, specifier in available[name].requires.items():
        if needed not in available:
            raise PluginError(name, _("It needs the module {needed}, which is not installed.", needed=needed))
        if specifier and not fits(available[needed].version, specifier):
            raise PluginError(
                name,
                _(
                    "It needs {needed} {range}; installed is {version}.",
                    needed=needed,
                    range=specifier,
                    version=available[needed].version,
                ),
            )
        if needed not in loaded:
            raise PluginError(name, _("It needs the module {needed}, which is not running.", needed=needed))


def _check_clashes(plugin: Plugin, others: Sequence[Plugin]) -> None:
    for other in others:
        shared = set(plugin.tables) & set(other.tables)
        if shared:
            raise PluginError(
                plugin.name, _("Its table {table} belongs to {other} already.", table=min(shared), other=other.name)
            )
    allowed = {"core_user", "core_team", *plugin.tables}
    needed = {"base", *plugin.available.requires}
    for other in others:
        if other.name in needed:
            allowed.update(other.tables)
    for model in plugin.models:
        table: Any = model.__table__
        for constraint in table.foreign_keys:
            target = constraint.target_fullname.partition(".")[0]
            if target not in allowed:
                raise PluginError(
                    plugin.name,
                    _(
                        "{column} points at {target}; name the module it belongs to among the requirements.",
                        column=f"{table.name}.{constraint.parent.name}",
                        target=target,
                    ),
                )
    paths = {(module_of(m), m.__record__.path): m for other in others for m in other.models if issubclass(m, Record)}
    for model in plugin.models:
        if issubclass(model, Record):
            clash = paths.get((plugin.name, model.__record__.path))
            if clash is not None and clash is not model:
                raise PluginError(plugin.name, _("The path {path} is taken.", path=model.__record__.path))
