"""Import one plugin and check everything it contributes; any fault is a `PluginError` with one readable reason."""

from __future__ import annotations

import importlib
import importlib.util
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy
from sqlalchemy import Table
from sqlalchemy.orm import configure_mappers

from comptoir import __version__, hookspecs
from comptoir.contributions import SCOPES, Manifest
from comptoir.db.base import Base
from comptoir.db.fields import Kind, fields_of
from comptoir.db.record import Extension, Line, Record, RecordType, Through, record_name
from comptoir.errors import PluginError
from comptoir.hookspecs import contribute
from comptoir.hookspecs.marker import PROJECT
from comptoir.i18n import _, add_catalogue
from comptoir.registry.discover import Available, fits

CONTRIBUTE = tuple(name for name in vars(contribute) if name.startswith("contribute_"))
"""The names of all contribution hooks."""

NAMED = {
    "contribute_permissions",
    "contribute_roles",
    "contribute_menu",
    "contribute_facts",
    "contribute_tabs",
    "contribute_composers",
    "contribute_panels",
    "contribute_tiles",
    "contribute_reports",
    "contribute_jobs",
    "contribute_deferred_work",
}
"""Contributions whose ``name`` must begin with the plugin's own."""


@dataclass(frozen=True, eq=False)
class Plugin:
    """An imported plugin with its checked contributions."""

    available: Available
    modules: tuple[ModuleType, ...]
    manifest: Manifest
    contributions: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    hook_modules: tuple[ModuleType, ...] = ()

    @property
    def name(self) -> str:
        """The entry point's name, which is the module's everywhere."""
        return self.available.name

    @property
    def folder(self) -> Path:
        """The package folder, where templates, static files, migrations and translations lie."""
        return Path(str(self.modules[0].__file__)).parent

    @property
    def models(self) -> Sequence[type[Base]]:
        """Every mapped class of the plugin."""
        return self.contributions.get("contribute_models", ())

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of its tables."""
        return tuple(model.__tablename__ for model in self.models)


def readable(error: BaseException) -> str:
    """One line for an administrator: what kind of error, what it says and where in the plugin."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    if isinstance(error, SyntaxError):
        place = f" ({Path(error.filename or '').name}, line {error.lineno})"
    return f"{type(error).__name__}: {error}{place}"


def new_hook_relay() -> pluggy.PluginManager:
    """A plugin manager that knows the core's hook specifications and nothing else."""
    manager = pluggy.PluginManager(PROJECT)
    for theme in hookspecs.ALL_THEMES:
        manager.add_hookspecs(theme)
    return manager


def load_plugin(available: Available, active: Iterable[str], needed_hooks: Sequence[ModuleType] = ()) -> Plugin:
    """Import a plugin, its glue to the active ones and its own hooks, and collect what it contributes.

    ``needed_hooks`` are the specifications of the plugins that it needs: it may implement them like the core's.
    """
    name = available.name
    try:
        module = importlib.import_module(available.target)
    except Exception as error:
        raise PluginError(name, _("It cannot be imported: {reason}", reason=readable(error))) from error
    manifest = getattr(module, "manifest", None)
    if not isinstance(manifest, Manifest):
        raise PluginError(name, _("Its plugin module has no manifest. Add: manifest = Manifest(title=…)"))
    if not fits(__version__, manifest.core):
        raise PluginError(
            name, _("It needs core {wanted}; this is {version}.", wanted=manifest.core, version=__version__)
        )
    package = available.target.rpartition(".")[0]
    modules = [module]
    for other in sorted(active):
        glue = f"{package}.with_{other}"
        if package and other != name and importlib.util.find_spec(glue) is not None:
            try:
                modules.append(importlib.import_module(glue))
            except Exception as error:
                raise PluginError(
                    name, _("{glue} cannot be imported: {reason}", glue=glue, reason=readable(error))
                ) from error
    own_hooks: list[ModuleType] = []
    if package and importlib.util.find_spec(f"{package}.hooks") is not None:
        own_hooks.append(importlib.import_module(f"{package}.hooks"))
    _configure_mappers(name, package or available.target)
    plugin = Plugin(
        available, tuple(modules), manifest, _collect(name, modules, [*needed_hooks, *own_hooks]), tuple(own_hooks)
    )
    add_catalogue(plugin.folder / "translations")
    return plugin


def _configure_mappers(name: str, package: str) -> None:
    """Let SQLAlchemy resolve the plugin's relationships now; classes that cannot be mapped are set aside."""
    try:
        configure_mappers()
    except Exception as error:
        for mapper in Base.registry.mappers:
            if mapper.class_.__module__.partition(".")[0] == package.partition(".")[0] and not mapper.configured:
                mapper.configured = True  # an unconfigured mapper would fail every other plugin's queries too
                mapper.__dict__.pop("_configure_failed", None)
        raise PluginError(name, _("Its models do not fit together: {reason}", reason=readable(error))) from error


def _collect(name: str, modules: Sequence[ModuleType], more_hooks: Sequence[ModuleType]) -> dict[str, list[Any]]:
    manager = new_hook_relay()
    for hooks in more_hooks:
        manager.add_hookspecs(hooks)
    found: dict[str, list[Any]] = {}
    try:
        for position, module in enumerate(modules):
            manager.register(module, name=f"{name}/{position}")
    except (pluggy.PluginValidationError, ValueError) as error:
        raise PluginError(
            name, _("A hook does not match its specification: {reason}", reason=_hook_reason(error))
        ) from error
    for unknown in _unknown_hooks(manager):
        raise PluginError(name, _("There is no hook {hook}. Look it up in the hook reference.", hook=unknown))
    for hook in CONTRIBUTE:
        found[hook] = []
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            try:
                answer = implementation.function()
            except Exception as error:
                raise PluginError(name, _("{hook} raised {reason}", hook=hook, reason=readable(error))) from error
            if not isinstance(answer, list | tuple):
                raise PluginError(name, _("{hook} must return a list.", hook=hook))
            found[hook].extend(answer)
    _check_names(name, found)
    _check_models(name, found["contribute_models"])
    _check_values(name, found)
    return found


def _hook_reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _unknown_hooks(manager: pluggy.PluginManager) -> list[str]:
    """Misspelt hooks; those of another plugin's ``hooks.py`` count as known when marked optional."""
    unknown = []
    for hook_name, caller in vars(manager.hook).items():
        if hook_name.startswith("_") or caller.has_spec():
            continue
        if any(not implementation.optionalhook for implementation in caller.get_hookimpls()):
            unknown.append(hook_name)
    return unknown


def _check_names(name: str, found: Mapping[str, Sequence[Any]]) -> None:
    for hook in CONTRIBUTE:
        seen: set[str] = set()
        for value in found[hook]:
            label = getattr(value, "name", None)
            if hook not in NAMED or label is None:
                continue
            if not label.startswith(f"{name}."):
                raise PluginError(
                    name, _("{hook}: the name {label} must begin with “{name}.”", hook=hook, label=label, name=name)
                )
            if label in seen:
                raise PluginError(name, _("{hook}: the name {label} is given twice.", hook=hook, label=label))
            seen.add(label)
    for template in found["contribute_roles"]:
        for permission, scope in template.permissions.items():
            if scope not in SCOPES:
                raise PluginError(
                    name,
                    _(
                        "The role {role} grants {permission} with scope {scope}; use own, team or all.",
                        role=template.name,
                        permission=permission,
                        scope=scope,
                    ),
                )


def _check_models(name: str, models: Sequence[Any]) -> None:
    for model in models:
        if not (isinstance(model, type) and issubclass(model, Base)):
            raise PluginError(name, _("contribute_models returned {value}, which is no model.", value=repr(model)[:80]))
        table = model.__table__
        assert isinstance(table, Table)
        if name != "base" and not table.name.startswith(f"{name}_"):
            raise PluginError(name, _("The table {table} must begin with “{name}_”.", table=table.name, name=name))
        for constraint in table.foreign_keys:
            if constraint.ondelete is None:
                raise PluginError(
                    name,
                    _(
                        "{column} does not say what happens when the row it points at goes: give ondelete.",
                        column=f"{table.name}.{constraint.parent.name}",
                    ),
                )
        if issubclass(model, Record):
            _check_record(name, model)
        elif issubclass(model, Extension):
            _check_extension(name, model)
        elif issubclass(model, Line):
            if getattr(model, "__parent__", None) not in table.c:
                raise PluginError(name, _("{model}: set __parent__ to the column of its record.", model=model.__name__))
        elif model.__visible__ is None:
            raise PluginError(
                name,
                _(
                    "{model} declares no access rule. Set __visible__ to Public() or Through(column).",
                    model=model.__name__,
                ),
            )


def _check_record(name: str, model: type[Record]) -> None:
    declared = getattr(model, "__record__", None)
    if not isinstance(declared, RecordType):
        raise PluginError(name, _("{model} has no __record__ declaration.", model=model.__name__))
    if record_name(model).partition(".")[0] not in (name, "base"):
        raise PluginError(name, _("{model} lies outside the plugin's own package.", model=model.__name__))
    if isinstance(declared.visible, Through) and declared.visible.column not in model.__table__.c:
        raise PluginError(
            name,
            _(
                "{model} is visible through {column}, which it does not have.",
                model=model.__name__,
                column=declared.visible.column,
            ),
        )
    if not any(described.title for described in fields_of(model).values()):
        raise PluginError(name, _("{model} has no title field. Give one field title=True.", model=model.__name__))


def _check_extension(name: str, model: type[Extension[Any]]) -> None:
    try:
        target = model.extended()
    except TypeError as error:
        raise PluginError(name, str(error)) from error
    if not issubclass(target, Record):
        raise PluginError(name, _("{model} extends something that is no record.", model=model.__name__))
    if [column.name for column in model.__table__.primary_key] != ["record_id"]:
        raise PluginError(name, _("{model} needs: record_id: Mapped[int] = extends(…)", model=model.__name__))
    for described in fields_of(model).values():
        if described.required and described.default is None:
            raise PluginError(
                name,
                _(
                    "{model}.{field} is required, but most records have no row. Give it a default.",
                    model=model.__name__,
                    field=described.name,
                ),
            )


def _check_values(name: str, found: Mapping[str, Sequence[Any]]) -> None:
    for screens in found["contribute_screens"]:
        if record_name(screens.model).partition(".")[0] != name:
            raise PluginError(
                name,
                _(
                    "It contributes screens for {model}, which is not its own. Use contribute_screen_additions.",
                    model=record_name(screens.model),
                ),
            )
    for tab in found["contribute_tabs"]:
        column = tab.reference.property.columns[0]
        described = column.info.get("field")
        if described is None or described.kind is not Kind.REFERENCE:
            raise PluginError(
                name, _("The tab {tab} hangs on {column}, which is no reference.", tab=tab.name, column=column.name)
            )
        if described.target != tab.on.__tablename__:
            raise PluginError(
                name,
                _(
                    "The tab {tab} stands on {on}, but {column} points at {target}.",
                    tab=tab.name,
                    on=record_name(tab.on),
                    column=column.name,
                    target=described.target,
                ),
            )
    for panel in found["contribute_panels"]:
        if not panel.template.startswith(f"{name}/"):
            raise PluginError(
                name, _("The template {template} must lie in {name}/.", template=panel.template, name=name)
            )
