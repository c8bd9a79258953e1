"""A plugin as its code is: tried apart first, then imported, asked what it contributes, and built into a registry."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy.orm import Mapper

from comptoir.contributions import Contribution
from comptoir.db.base import Base
from comptoir.db.fields import fields_of
from comptoir.db.record import Extension, Line, Record
from comptoir.kinds import Field
from comptoir.registry.discover import Available, with_requirements
from comptoir.registry.plugin import Plugin, readable
from comptoir.registry.registry import Registry, build_registry
from comptoir.testing.conformance.check import NotApplicable
from comptoir.testing.conformance.source import Source

TYPE_CACHE = Path(tempfile.gettempdir()) / f"comptoir-types-{os.getuid()}"
"""Where mypy keeps what it knows of the libraries, for all plugins: its first run of all takes long."""
SECONDS = 30.0
"""How long the import of a plugin may take."""

TRIAL = r"""
import json, sys, threading
sys.path[:] = json.loads(sys.argv[1])
import comptoir.toolkit, comptoir.base.services, comptoir.base.hooks, sqlalchemy.event, importlib, logging, atexit, os
from comptoir.registry.plugin import readable
package, deeds = sys.argv[3], []
def owner(direct):
    frame = sys._getframe(3)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(package):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = None if direct else frame.f_back
def deed(what, direct=False):
    if (place := owner(direct)) is not None and [what, place] not in deeds:
        deeds.append([what, place])
def note(event, args):
    if event == "socket.connect":
        deed("connects to another machine")
    elif event in ("subprocess.Popen", "os.system", "os.posix_spawn", "os.fork"):
        deed("starts a program")
    elif event in ("os.putenv", "os.unsetenv"):
        deed("changes the environment")
    elif event in ("os.remove", "os.mkdir", "os.rename") and not str(args[0]).endswith((".pyc", "__pycache__")):
        if "__pycache__" not in str(args[0]):
            deed("changes files")
    elif event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+") and "__pycache__" not in str(args[0]):
        deed("writes a file")
sys.addaudithook(note)
def watched(what, function, direct=False):
    def call(*given, **named):
        deed(what, direct)
        return function(*given, **named)
    return call
sqlalchemy.event.listen = watched("registers a listener of SQLAlchemy", sqlalchemy.event.listen, True)
sqlalchemy.event.listens_for = watched("registers a listener of SQLAlchemy", sqlalchemy.event.listens_for, True)
atexit.register = watched("registers what runs at the end of the process", atexit.register)
threading.Thread.start = watched("starts a thread", threading.Thread.start)
class Out:
    def write(self, text):
        if text.strip():
            deed("prints")
        return len(text)
    def flush(self):
        pass
told, sys.stdout = sys.stdout, Out()
print("ready", file=told, flush=True)
error = None
try:
    importlib.import_module(sys.argv[2])
except BaseException as raised:
    error = readable(raised)
print(json.dumps({"error": error, "deeds": deeds}), file=told, flush=True)
os._exit(0)
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the import of a plugin did in a process of its own."""

    error: str | None = None
    halted: bool = False
    """Whether it came to no end in its time, or ended the process."""
    deeds: Sequence[tuple[str, str]] = ()
    """What it did besides defining things, each with its place."""


def try_import(available: Available, seconds: float = SECONDS) -> Trial:
    """Import a plugin where it can do no harm, and watch it."""
    package = available.target.rpartition(".")[0]
    command = [sys.executable, "-c", TRIAL, json.dumps(sys.path), available.target, package]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as child:  # fmt: skip
        assert child.stdout is not None
        child.stdout.readline()  # the platform is loaded: from here on it is the plugin that takes time
        try:
            told, complaint = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            return Trial(f"it comes to no end within {seconds:.0f} s", halted=True)
    lines = told.decode(errors="replace").strip().splitlines()
    if not lines:
        return Trial(complaint.decode(errors="replace").strip()[-300:] or "it ends the process", halted=True)
    answer = json.loads(lines[-1])
    return Trial(answer["error"], deeds=[(what, place) for what, place in answer["deeds"]])


class Code:
    """The imported plugin, and the registry that it is built into with what it needs."""

    def __init__(self, source: Source, discover: Callable[[], dict[str, Available]]) -> None:
        self.source = source
        self.discover = discover

    @cached_property
    def trial(self) -> Trial:
        """What its import did in a process of its own."""
        return try_import(self.source.available)

    @cached_property
    def type_check(self) -> subprocess.Popen[str]:
        """mypy, which looks at the package while other checks are made."""
        command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context"]
        command += ["--config-file", os.devnull, "--follow-imports", "silent", "--cache-dir", str(TYPE_CACHE)]
        command += ["--namespace-packages", "--explicit-package-bases"]
        command += [str(self.source.folder / module) for module in self.source.modules]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.source.folder.parent
        )

    @cached_property
    def module(self) -> ModuleType:
        """Its plugin module; the build has imported it, and set aside models that do not fit together."""
        _ = self.built
        try:
            return importlib.import_module(self.source.available.target)
        except BaseException as error:
            raise NotApplicable(f"it cannot be imported: {readable(error)}") from error

    @cached_property
    def models(self) -> Sequence[type[Base]]:
        """The mapped classes of its package, whether or not it contributes them."""
        _ = self.module
        package = self.source.package
        found: list[Mapper[Any]] = [
            m for m in Base.registry.mappers if f"{m.class_.__module__}.".startswith(f"{package}.")
        ]
        return sorted((m.class_ for m in found), key=lambda model: str(model.__tablename__))

    @property
    def records(self) -> Sequence[type[Record]]:
        """Its record types."""
        return [model for model in self.models if issubclass(model, Record)]

    def fields(self) -> Iterator[tuple[type[Base], Field]]:
        """The fields that it declares, those of lines and extensions too, without the shared ones of records."""
        for model in self.models:
            if issubclass(model, Record | Extension | Line):
                for field in fields_of(model).values():
                    if field.name not in SHARED_FIELDS:
                        yield model, field

    @cached_property
    def contributions(self) -> Sequence[Any]:
        """What it contributes, unchecked."""
        contribute = getattr(self.module, "contribute", None)
        try:
            answer = contribute() if contribute is not None else ()
        except BaseException as error:
            raise NotApplicable(f"contribute raised {readable(error)}") from error
        return answer if isinstance(answer, list | tuple) else ()

    def contributed(self, kind: type[Contribution]) -> list[Any]:
        """What it contributes of one kind."""
        return [value for value in self.contributions if isinstance(value, kind)]

    @cached_property
    def built(self) -> Registry:
        """A registry with it and what it needs, once the trial has gone well; a refusal stands among the quarantined."""
        if self.source.available.target not in sys.modules and self.trial.error is not None:
            raise NotApplicable("it cannot be imported")
        return build_registry(self.discover(), with_requirements(self.discover(), [self.source.name]))

    @property
    def registry(self) -> Registry:
        """The registry that it is part of."""
        if (aside := self.built.quarantined.get(self.source.name)) is not None:
            raise NotApplicable(f"it is set aside: {aside.reason}")
        return self.built

    @property
    def plugin(self) -> Plugin:
        """It, as the registry knows it."""
        return self.registry.plugins[self.source.name]

    @property
    def implementations(self) -> Mapping[str, Any]:
        """The functions of its plugin module that are marked as implementations of hooks, by name."""
        return {name: value for name, value in vars(self.module).items() if hasattr(value, "comptoir_impl")}


SHARED_FIELDS = frozenset({"owner_id", "team_id", "created_at", "updated_at", "archived_at"})
