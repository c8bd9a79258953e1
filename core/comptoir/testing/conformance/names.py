"""Names: chosen once, so that two plugins never clash."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from comptoir.contributions import Job, NamedContribution, Permission, Route, View
from comptoir.testing.conformance.check import Finding, check
from comptoir.testing.conformance.code import Code
from comptoir.testing.conformance.source import Source

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
PATH = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ADDRESS = re.compile(r"(/[a-z0-9]+([-.][a-z0-9]+)*|/\{[a-z_]+\})+")


@check("names.plugin", needs="source")
def plugin_name(source: Source) -> Iterator[Finding]:
    """The plugin's name is lower-case letters, digits and single underscores."""
    if not NAME.fullmatch(source.name):
        yield Finding(f"the plugin is called {source.name!r}", "pyproject.toml", "name it like: loyalty, field_service")


@check("names.package", needs="source")
def package_name(source: Source) -> Iterator[Finding]:
    """The entry point ``loyalty`` leads to ``comptoir_loyalty.plugin``."""
    wanted = "comptoir.base.plugin" if source.is_base else f"comptoir_{source.name}.plugin"
    if source.available.target != wanted:
        yield Finding(f"the entry point leads to {source.available.target}", "pyproject.toml", f"name it {wanted}")


@check("names.distribution", needs="source")
def distribution_name(source: Source) -> Iterator[Finding]:
    """The distribution of the plugin ``loyalty`` is called ``comptoir-loyalty``."""
    wanted = "comptoir" if source.is_base else f"comptoir-{source.name}".replace("_", "-")
    if source.distribution.replace("_", "-") != wanted:
        yield Finding(f"the distribution is called {source.distribution!r}", "pyproject.toml", f"name it {wanted}")


@check("names.tables", needs="code")
def table_names(code: Code) -> Iterator[Finding]:
    """Every table begins with the plugin's name."""
    for model in code.models:
        if not model.__tablename__.startswith(f"{code.source.name}_"):
            yield Finding(
                f"the table {model.__tablename__} does not begin with {code.source.name}_",
                model.__name__,
                f"name it {code.source.name}_<record>",
            )


@check("names.contributions", needs="code")
def contribution_names(code: Code) -> Iterator[Finding]:
    """Permissions, roles, jobs, panels, tiles, reports and menu entries begin with the plugin's name and a dot."""
    for value in code.contributed(NamedContribution):
        if not value.name.startswith(f"{code.source.name}."):
            yield Finding(
                f"{type(value).__name__} {value.name} does not begin with {code.source.name}.",
                value.name,
                f"name it {code.source.name}.<what>",
            )


@check("names.permissions", needs="code")
def permission_names(code: Code) -> Iterator[Finding]:
    """Permissions are called ``<plugin>.<record>.<action>``."""
    for value in code.contributed(Permission):
        parts = value.name.split(".")
        if len(parts) != 3 or not all(map(NAME.fullmatch, parts)):
            yield Finding(
                f"the permission {value.name} is not called <plugin>.<record>.<action>", value.name, "rename it"
            )


@check("names.jobs", needs="code")
def job_names(code: Code) -> Iterator[Finding]:
    """Jobs are called ``<plugin>.<verb_object>``."""
    for value in code.contributed(Job):
        parts = value.name.split(".")
        if len(parts) != 2 or not NAME.fullmatch(parts[1]) or "_" not in parts[1]:
            yield Finding(f"the job {value.name} is not called <plugin>.<verb_object>", value.name, "rename it")


@check("names.errors", needs="source")
def error_codes(source: Source) -> Iterator[Finding]:
    """The codes of refusals begin with the plugin's name and a dot."""
    for place, call in source.calls("RuleViolation"):
        first = call.args[0] if call.args else None
        if isinstance(first, ast.Constant) and not str(first.value).startswith(f"{source.name}."):
            yield Finding(f"the code {first.value!r} does not begin with {source.name}.", place, f"write {source.name}.<what>")  # fmt: skip


@check("names.templates", needs="source")
def template_folder(source: Source) -> Iterator[Finding]:
    """Templates and static files lie in a folder of the plugin's name, so that none hides another's."""
    for kind in ("templates", "static"):
        for path in sorted((source.folder / kind).glob("*")):
            if path.name != source.name and (kind == "templates" or path.is_dir()):
                yield Finding(f"{path.name} lies outside {kind}/{source.name}/", f"{kind}/{path.name}", f"move it to {kind}/{source.name}/")  # fmt: skip


@check("names.addresses", needs="code")
def addresses(code: Code) -> Iterator[Finding]:
    """Addresses are lower-case words with hyphens."""
    for model in code.records:
        if not PATH.fullmatch(model.__record__.path):
            yield Finding(f"the path {model.__record__.path!r}", model.__name__, "write it like: price-lists")
    for value in (*code.contributed(View), *code.contributed(Route)):
        if not ADDRESS.fullmatch(value.path):
            yield Finding(f"the path {value.path!r}", value.path, "write it like: /price-lists/{id}")


@check("names.revisions", needs="source")
def revision_names(source: Source) -> Iterator[Finding]:
    """Migrations are called after the plugin, so that every history reads alone."""
    for place, tree in source.revisions.items():
        for node in tree.body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "revision":
                value = getattr(node.value, "value", "")
                if not str(value).startswith(f"{source.name}_"):
                    yield Finding(f"the revision {value!r} does not begin with {source.name}_", f"{place}:{node.lineno}", "rename it")  # fmt: skip
