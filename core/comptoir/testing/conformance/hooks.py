"""Hooks and contributions: used as their names promise."""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Iterator
from typing import Any

from comptoir.contributions import Contribution, NamedContribution
from comptoir.db.base import Base
from comptoir.registry.plugin import new_hook_relay
from comptoir.testing.conformance.check import Finding, NotApplicable, check
from comptoir.testing.conformance.code import Code
from comptoir.testing.conformance.source import Source, called

WRITES = ("save", "delete", "archive", "restore", "move", "assign", "defer", "add", "add_all")


def _specified(code: Code) -> dict[str, set[str]]:
    """The hooks that it may implement, each with its arguments: the core's, and those of base and of what it requires."""
    manager = new_hook_relay()
    for plugin in code.built.plugins.values():
        for hooks in plugin.hook_modules:
            manager.add_hookspecs(hooks)
    specified = {name: caller for name, caller in vars(manager.hook).items() if not name.startswith("_")}
    return {name: set(caller.spec.argnames) for name, caller in specified.items()}


@check("hooks.known", needs="code")
def known(code: Code) -> Iterator[Finding]:
    """Every hook that it implements exists."""
    specified = _specified(code)
    for name in code.implementations:
        if name not in specified:
            near = difflib.get_close_matches(name, specified, 1)
            cure = f"call it {near[0]}" if near else "look it up in the hook reference"
            yield Finding(f"there is no hook {name}", f"plugin.py: {name}", cure)


@check("hooks.arguments", needs="code")
def arguments(code: Code) -> Iterator[Finding]:
    """Every implementation takes only what its hook gives."""
    specified = _specified(code)
    for name, function in code.implementations.items():
        for extra in sorted(set(inspect.signature(function).parameters) - specified.get(name, set())):
            if name in specified:
                given = ", ".join(sorted(specified[name])) or "nothing"
                yield Finding(f"{name} asks for {extra}, which is not given", f"plugin.py: {name}", f"take some of: {given}")  # fmt: skip


@check("hooks.manifest", needs="code")
def manifest(code: Code) -> Iterator[Finding]:
    """It says what it is: title, summary, category, and the versions of the core that it works with."""
    from comptoir.contributions import Manifest

    found = getattr(code.module, "manifest", None)
    if not isinstance(found, Manifest):
        yield Finding("there is no manifest", "plugin.py", "add: manifest = Manifest(_(…), _(…), category=…)")
        return
    for part in ("title", "summary", "category"):
        if not str(getattr(found, part)).strip():
            yield Finding(f"the manifest has no {part}", "plugin.py", f"give {part}")


@check("hooks.contributes", needs="code")
def contributes(code: Code) -> Iterator[Finding]:
    """``contribute`` returns a list of contributions and models, and takes nothing."""
    contribute = getattr(code.module, "contribute", None)
    if contribute is None:
        raise NotApplicable("it contributes nothing")
    try:
        answer = contribute()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the finding
        yield Finding(f"contribute raised {type(error).__name__}: {error}", "plugin.py: contribute", "let it only return values")  # fmt: skip
        return
    if not isinstance(answer, list | tuple):
        yield Finding(f"contribute returned {type(answer).__name__}", "plugin.py: contribute", "return a list")
        return
    for value in answer:
        if not isinstance(value, Contribution) and not (isinstance(value, type) and issubclass(value, Base)):
            yield Finding(f"contribute returned {value!r:.60}", "plugin.py: contribute", "return models and contributions only")  # fmt: skip


@check("hooks.repeatable", needs="code")
def repeatable(code: Code) -> Iterator[Finding]:
    """``contribute`` gives the same each time: a generation is built whenever a module goes on or off."""

    def described(values: Any) -> list[str]:
        return [f"{type(v).__name__} {v.name if isinstance(v, NamedContribution) else getattr(v, '__name__', '')}" for v in values]  # fmt: skip

    contribute = getattr(code.module, "contribute", None)
    if contribute is None:
        raise NotApplicable("it contributes nothing")
    first, second = described(code.contributions), described(contribute())
    for lacking in sorted(set(first) ^ set(second)) or (["their order"] if first != second else []):
        yield Finding(f"contribute differs from call to call: {lacking}", "plugin.py: contribute", "return constants")


@check("hooks.accepted", needs="code")
def accepted(code: Code) -> Iterator[Finding]:
    """The platform accepts everything that it contributes."""
    if (aside := code.built.quarantined.get(code.source.name)) is not None:
        yield Finding(str(aside.reason), f"{code.source.available.target}", "mend what the reason names")


@check("hooks.complete", needs="code")
def all_models(code: Code) -> Iterator[Finding]:
    """Every model is contributed: a table that nobody owns is never migrated, exported or taken away."""
    given = {value for value in code.contributions if isinstance(value, type)}
    for model in code.models:
        if model not in given:
            yield Finding(
                f"{model.__name__} is not contributed", model.__tablename__, "add it to what contribute returns"
            )


@check("hooks.checks_only_look", needs="source")
def checks_only_look(source: Source) -> Iterator[Finding]:
    """What is called ``check_…`` or ``forbid_…`` or gathers violations only looks: it changes nothing."""
    for place, function in _checking(source):
        for node in ast.walk(function):
            if isinstance(node, ast.Assign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(t, ast.Attribute) and getattr(t.value, "id", "") != "self" for t in targets):
                    yield Finding(f"{function.name} sets an attribute", f"{place}:{node.lineno}", "fill in values in prepare, write in saved")  # fmt: skip
            elif isinstance(node, ast.Call) and called(node) in WRITES and _writes(node):
                yield Finding(f"{function.name} calls {called(node)}", f"{place}:{node.lineno}", "write in saved, where the change stands")  # fmt: skip


def _checking(source: Source) -> Iterator[tuple[str, ast.FunctionDef]]:
    rules = {
        getattr(keyword.value, "attr", getattr(keyword.value, "id", ""))
        for _place, call in source.calls("Rules")
        for keyword in call.keywords
        if keyword.arg in ("check", "check_deletion", "check_move")
    }
    for module, tree in source.modules.items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and (
                node.name in rules or node.name.startswith(("check_", "forbid_"))
            ):
                yield module, node


def _writes(call: ast.Call) -> bool:
    """Whether it is called with a context, or on a session: ``seen.add(…)`` of a set is none of that."""
    if isinstance(call.func, ast.Attribute):
        return "session" in ast.unparse(call.func.value)
    return bool(call.args) and getattr(call.args[0], "id", "") == "ctx"
