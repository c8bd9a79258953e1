"""Kinds stay at home: whoever handles a value asks its kind, and nobody asks which kind it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from comptoir import kinds
from comptoir.kinds import Kind

ROOT = Path(__file__).parents[2]
CLASSES = {name for name, value in vars(kinds).items() if isinstance(value, type) and issubclass(value, Kind)}
NAMES = {value.name for name, value in vars(kinds).items() if name in CLASSES and hasattr(value, "name")}
OTHERS = {
    "core/comptoir/web/cell_html.py": "the look of a cell",
    "core/comptoir/web/pages/form/asked.py": "the inputs of a form",
    "core/comptoir/web/pages/admin/security.py": "what the log of security tells",
    "core/comptoir/web/pages/report/view.py": "the columns of reports, which are no fields",
}
"""Where something else that is called a kind is told apart by its word."""


def sources() -> Iterator[Path]:
    for folder in ("core/comptoir", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not {"kinds", "tests", "node_modules"}.intersection(path.relative_to(ROOT).parts):
                yield path


def is_kind(node: ast.AST) -> bool:
    """``field.kind``, ``field.kind.name`` or ``type(field.kind)``; kinds of contacts and stages are compared with words."""
    match node:
        case ast.Attribute(value=inner, attr="name" | "__class__") if is_kind(inner):
            return True
        case ast.Call(func=ast.Name(id="type"), args=[inner]):
            return is_kind(inner)
        case ast.Attribute(attr="kind"):
            return True
    return False


def words(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def switches(tree: ast.AST) -> Iterator[int]:
    """The lines that decide something by which kind a field has."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, ops=ops, comparators=others):
                compared = [left, *others]
                if any(map(is_kind, compared)) and (
                    any(isinstance(op, ast.Is | ast.IsNot) for op in ops)
                    or any(w in NAMES for o in compared for w in words(o))
                ):
                    yield node.lineno
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[asked, _]) if is_kind(asked):
                yield node.lineno
            case ast.Match(subject=subject) if is_kind(subject):
                if any(w in NAMES for case in node.cases for w in words(case.pattern)):
                    yield node.lineno
            case ast.Subscript(slice=asked) | ast.Call(func=ast.Attribute(attr="get"), args=[asked, *_]) if is_kind(
                asked
            ):
                yield node.lineno


@pytest.mark.parametrize(
    "line",
    [
        "field.kind is Money()",
        "field.kind.name == 'money'",
        "field.kind.name in ('text', 'money')",
        "isinstance(field.kind, Money)",
        "type(field.kind) is Money",
        "INPUTS[field.kind]",
        "INPUTS.get(field.kind, 'text')",
        "match field.kind:\n    case 'money': pass",
    ],
)
def test_a_switch_is_recognised(line: str) -> None:
    assert list(switches(ast.parse(line)))


@pytest.mark.parametrize(
    "line", ["Contact.kind == 'company'", "row.kind == cell.kind", "field.kind.numeric", "stage.kind != 'open'"]
)
def test_what_is_no_switch_is_left_alone(line: str) -> None:
    assert not list(switches(ast.parse(line)))


def test_the_sources_are_found() -> None:
    assert ROOT / "core/comptoir/web/pages/form/page.py" in set(sources())


def test_nobody_outside_kinds_switches_on_a_kind() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources()
        if str(path.relative_to(ROOT)) not in OTHERS
        for line in switches(ast.parse(path.read_text("utf-8")))
    ]
    assert not found


def test_kinds_are_made_where_fields_are_declared_and_nowhere_compared() -> None:
    """Everybody else may call a kind's class to declare a field, and use it for nothing else."""
    found = []
    for path in sources():
        tree = ast.parse(path.read_text("utf-8"))
        imported = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "comptoir.kinds"
            for alias in node.names
        } & CLASSES - {"Kind"}
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        found += [
            f"{path.relative_to(ROOT)}:{node.lineno} {node.id}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and node.id in imported and id(node) not in called
        ]
    assert not found
