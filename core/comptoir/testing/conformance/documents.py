"""Documents: what an administrator and an author read before they trust it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

import comptoir.toolkit
from comptoir.contributions import Job, Permission, RoleTemplate, Route
from comptoir.reports import Report
from comptoir.testing.conformance.check import Finding, check
from comptoir.testing.conformance.code import Code
from comptoir.testing.conformance.source import Source

ENOUGH = 200
"""How many characters a README has at least."""


@check("documents.readme", needs="source")
def readme(source: Source) -> Iterator[Finding]:
    """A README says what it does and how it is installed."""
    if len(source.readme.strip()) < ENOUGH:
        yield Finding("there is no README, or hardly one", "README.md", "say what it does, and name it as readme in pyproject.toml")  # fmt: skip


@check("documents.description", needs="source")
def description(source: Source) -> Iterator[Finding]:
    """The distribution has a one-line description and says which platform it needs."""
    if not source.available.summary.strip():
        yield Finding("the distribution has no description", "pyproject.toml", "give description")


@check("documents.labels", needs="code")
def labels(code: Code) -> Iterator[Finding]:
    """Every field, permission, role, job, report and address of the API has a name that people understand."""
    for model, field in code.fields():
        if not str(field.label).strip():
            yield Finding(f"{field.name} has no label", f"{model.__name__}.{field.name}", "give a label")
    for kind, part in ((Permission, "label"), (RoleTemplate, "label"), (Job, "title"), (Report, "summary"), (Route, "summary")):  # fmt: skip
        for value in code.contributed(kind):
            if not str(getattr(value, part)).strip():
                yield Finding(f"it has no {part}", str(getattr(value, "name", "") or getattr(value, "path", "")), f"give {part}")  # fmt: skip


@check("documents.modules", needs="source")
def modules(source: Source) -> Iterator[Finding]:
    """Every module begins with a sentence that says what it is for."""
    for place, tree in source.modules.items():
        if tree.body and not ast.get_docstring(tree):
            yield Finding("the module has no docstring", place, "begin it with one sentence")


@check("documents.toolkit", needs="source")
def toolkit_names(source: Source) -> Iterator[Finding]:
    """What it takes from the toolkit is there."""
    known = {*comptoir.toolkit.__all__, *dir(comptoir.toolkit)}
    for _module, place, name in source.imports():
        wanted = name.removeprefix("comptoir.toolkit.")
        if wanted != name and wanted not in known:
            yield Finding(f"the toolkit has no {wanted}", place, "look it up in the toolkit reference")


@check("documents.deprecated", needs="source")
def deprecated(source: Source) -> Iterator[Finding]:
    """It uses nothing of the toolkit that is going away."""
    for _module, place, name in source.imports():
        wanted = name.removeprefix("comptoir.toolkit.")
        if wanted != name and (told := _farewell(wanted)):
            yield Finding(f"{wanted} is going away", place, told)


def _farewell(name: str) -> str:
    """What the toolkit warns of when a name is taken; nothing where the name stays."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        value = getattr(comptoir.toolkit, name, None)
    told = [str(w.message) for w in heard if issubclass(w.category, DeprecationWarning)]
    return getattr(value, "__deprecated__", "") or (told[0] if told else "")
