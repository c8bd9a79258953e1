"""Import one plugin and check everything it contributes; any fault is a `PluginError` with one readable reason."""

from __future__ import annotations

import importlib
import importlib.util
import traceback
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pluggy
from sqlalchemy.orm import configure_mappers

from comptoir import __version__, hookspecs
from comptoir.contributions import Contribution, Manifest
from comptoir.contributions.models import extension_clashes, model_faults
from comptoir.db.base import Base
from comptoir.errors import PluginError
from comptoir.hookspecs.marker import PROJECT
from comptoir.i18n import Text, _, add_catalogue
from comptoir.registry.discover import Available, fits

C = TypeVar("C", bound=Contribution)


@dataclass(frozen=True, eq=False)
class Plugin:
    """An imported plugin with its checked contributions."""

    available: Available
    modules: tuple[ModuleType, ...]
    manifest: Manifest
    contributions: Sequence[Contribution | type[Base]] = ()
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
        return [value for value in self.contributions if isinstance(value, type)]

    def of(self, kind: type[C]) -> list[C]:
        """What it contributes of one kind."""
        return [value for value in self.contributions if isinstance(value, kind)]

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
    with _refusing(name, lambda reason: _("It cannot be imported: {reason}", reason=reason)):
        module = importlib.import_module(available.target)
    manifest = getattr(module, "manifest", None)
    if not isinstance(manifest, Manifest):
        raise PluginError(name, _("Its plugin module has no manifest. Add: manifest = Manifest(title=…)"))
    if not fits(__version__, manifest.core):
        raise PluginError(
            name, _("It needs core {wanted}; this is {version}.", wanted=manifest.core, version=__version__)
        )
    package = available.target.rpartition(".")[0]
    modules = [module, *(_imported(name, f"{package}.with_{other}") for other in _glued(package, name, active))]
    own_hooks = [_imported(name, f"{package}.hooks")] if package and _exists(f"{package}.hooks") else []
    _configure_mappers(name, package or available.target)
    contributions = _collect(name, modules, [*needed_hooks, *own_hooks])
    add_catalogue(Path(str(module.__file__)).parent / "translations")
    return Plugin(available, tuple(modules), manifest, contributions, tuple(own_hooks))


@contextmanager
def _refusing(name: str, sentence: Callable[[str], Text]) -> Iterator[None]:
    """Whatever the plugin's code raises refuses the plugin, `sys.exit` included: it never ends the process that tried."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(name, sentence(readable(error))) from error


def _glued(package: str, name: str, active: Iterable[str]) -> list[str]:
    return [other for other in sorted(active) if package and other != name and _exists(f"{package}.with_{other}")]


def _exists(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _imported(name: str, module: str) -> ModuleType:
    with _refusing(name, lambda reason: _("{glue} cannot be imported: {reason}", glue=module, reason=reason)):
        return importlib.import_module(module)


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


def _collect(
    name: str, modules: Sequence[ModuleType], more_hooks: Sequence[ModuleType]
) -> tuple[Contribution | type[Base], ...]:
    manager = new_hook_relay()
    for hooks in more_hooks:
        manager.add_hookspecs(hooks)
    try:
        for position, module in enumerate(modules):
            manager.register(module, name=f"{name}/{position}")
    except (pluggy.PluginValidationError, ValueError) as error:
        raise PluginError(
            name, _("A hook does not match its specification: {reason}", reason=_hook_reason(error))
        ) from error
    for unknown in _unknown_hooks(manager):
        raise PluginError(name, _("There is no hook {hook}. Look it up in the hook reference.", hook=unknown))
    found: list[Any] = []
    for implementation in manager.hook.contribute.get_hookimpls():
        with _refusing(name, lambda reason: _("contribute raised {reason}", reason=reason)):
            answer = implementation.function()
        if not isinstance(answer, list | tuple):
            raise PluginError(name, _("contribute must return a list."))
        found += answer
    with _refusing(name, lambda reason: _("A contribution cannot be checked: {reason}", reason=reason)):
        fault = next(_faults(name, found), None)
    if fault is not None:
        raise PluginError(name, fault)
    return tuple(found)


def _faults(name: str, found: Sequence[Any]) -> Iterator[Text]:
    """What is wrong with the contributions of a plugin, in their order."""
    seen: set[tuple[type, Hashable]] = set()
    for value in found:
        if isinstance(value, type) and issubclass(value, Base):
            yield from model_faults(name, value)
        elif isinstance(value, Contribution):
            yield from value.faults(name)
            key = (type(value), value.only_once)
            if key[1] is not None and key in seen:
                yield _("{kind}: {label} is given twice.", kind=type(value).__name__, label=_shown(value.only_once))
            seen.add(key)
        else:
            yield _("contribute returned {value}, which is neither a model nor a contribution.", value=repr(value)[:80])
    yield from extension_clashes([value for value in found if isinstance(value, type)])


def _shown(key: Hashable) -> str:
    """What stands twice, as its author knows it."""
    parts = key if isinstance(key, tuple) else (key,)
    return " ".join(part.__name__ if isinstance(part, type) else str(part) for part in parts)


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
