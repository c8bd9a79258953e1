"""Layers: what a plugin imports, and what its import does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from comptoir.testing.conformance.check import Finding, check
from comptoir.testing.conformance.code import Code
from comptoir.testing.conformance.source import Source

PUBLIC = ("models", "services", "hooks")
"""The modules of another plugin that may be imported."""
EDGES = ("views", "rest")
BELOW: dict[str, tuple[str, ...]] = {
    "models": ("services", "views", "rest", "jobs", "screens", "schemas", "plugin"),
    "services": ("views", "rest", "jobs", "screens", "schemas", "plugin"),
}
"""What the modules of a plugin may not import of it: models know no services, services no pages."""
OUTSIDE = ("aiohttp", "http.client", "httpx", "requests", "urllib.request", "urllib3", "smtplib", "ftplib")


@check("layers.imports", needs="code")
def importable(code: Code) -> Iterator[Finding]:
    """It can be imported, in a process of its own, within thirty seconds."""
    if code.trial.error is not None:
        yield Finding(f"its import fails: {code.trial.error}", code.source.available.target, "run that import by hand")


@check("layers.survives", needs="code")
def survives(code: Code) -> Iterator[Finding]:
    """Its import neither ends nor halts the process."""
    if code.trial.halted or (code.trial.error or "").startswith("SystemExit"):
        yield Finding(f"its import stops the process: {code.trial.error}", code.source.available.target, "do that in a job, or when it is asked for")  # fmt: skip


@check("layers.silent", needs="code")
def silent(code: Code) -> Iterator[Finding]:
    """Its import only defines: no listener, thread, file, program, output or connection."""
    for deed, place in code.trial.deeds:
        file, _colon, line = place.rpartition(":")
        yield Finding(
            f"its import {deed}", f"{Path(file).name}:{line}", "contribute it, or do it where it is asked for"
        )


@check("layers.toolkit", needs="source")
def only_toolkit(source: Source) -> Iterator[Finding]:
    """Of the platform it imports only ``comptoir.toolkit`` and the models and services of base."""
    allowed = ("comptoir.toolkit", *(f"comptoir.base.{module}" for module in PUBLIC))
    for _module, place, name in source.imports():
        foreign = name.split(".")[0] == "comptoir" and not f"{name}.".startswith(tuple(f"{a}." for a in allowed))
        own = source.is_base and name.startswith("comptoir.base")
        if foreign and name != "comptoir.toolkit" and not own:
            yield Finding(f"it imports {name}", place, "import it from comptoir.toolkit; what is not there is not for plugins")  # fmt: skip


@check("layers.neighbours", needs="source")
def only_what_it_requires(source: Source) -> Iterator[Finding]:
    """Of other plugins it imports only models, services and hooks, and only of those that it requires."""
    for module, place, name in source.imports():
        root, _dot, rest = name.partition(".")
        other = root.removeprefix("comptoir_")
        if not root.startswith("comptoir_") or other == source.name:
            continue
        if other not in source.available.requires and Path(module).stem != f"with_{other}":
            yield Finding(f"it imports {root}, which it does not require", place, f"require comptoir-{other}, or put it into with_{other}.py")  # fmt: skip
        elif rest.partition(".")[0] not in PUBLIC:
            yield Finding(f"it imports {name}", place, "import only models, services and hooks of another plugin")


@check("layers.inside", needs="source")
def inside(source: Source) -> Iterator[Finding]:
    """Inside the plugin the models know no services, and the services know no pages."""
    for module, place, name in source.imports():
        layer = Path(module).parts[0].removesuffix(".py")
        inner = name.removeprefix(f"{source.package}.").partition(".")[0] if name.startswith(source.package) else ""
        if inner in BELOW.get(layer, ()):
            yield Finding(f"{layer} import {inner}", place, f"move what is needed down into {layer}")


@check("layers.flask", needs="source")
def flask_at_the_edges(source: Source) -> Iterator[Finding]:
    """Flask and Werkzeug appear only in views and rest."""
    for module, place, name in source.imports():
        layer = Path(module).parts[0].removesuffix(".py")
        if name.partition(".")[0] in ("flask", "werkzeug") and layer not in EDGES:
            yield Finding(f"{module} imports {name}", place, "keep requests and answers in views.py and rest.py")


@check("layers.commit", needs="source")
def no_commit(source: Source) -> Iterator[Finding]:
    """It leaves commit and rollback to whoever opened the unit of work."""
    for module, tree in source.modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in ("commit", "rollback"):
                yield Finding(f"it calls {node.attr}", f"{module}:{node.lineno}", "leave it out; for a part that may fail alone use ctx.savepoint()")  # fmt: skip


@check("layers.calls_outside", needs="source")
def calls_outside(source: Source) -> Iterator[Finding]:
    """Connections to the outside are opened by jobs and connectors, never by models, services or pages."""
    for module, place, name in source.imports():
        layer = Path(module).parts[0].removesuffix(".py")
        if layer in ("models", "services", "screens", *EDGES) and name.startswith(OUTSIDE):
            yield Finding(
                f"{module} imports {name}", place, "call it from the step of a job, where no transaction is open"
            )


@check("layers.text_sql", needs="source")
def no_text_sql(source: Source) -> Iterator[Finding]:
    """It writes no SQL as text, which the rules of access refuse."""
    names = {"text", "exec_driver_sql"}
    for module, place, name in source.imports():
        if name in ("sqlalchemy.text", "sqlalchemy.sql.text"):
            yield Finding(f"{module} imports {name}", place, "write the statement with select(), insert(), update()")
    for place, call in source.calls(*names):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "exec_driver_sql":
            yield Finding("it sends SQL as text", place, "write the statement with select(), insert(), update()")
