"""A page gets the visit of its request as an argument: nobody but the place that hands it on asks for it globally."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HANDS_ON = "core/comptoir/web/session.py"
SHOWS = {
    "core/comptoir/web/frame.py": "the frame around pages, and what every template finds",
    "core/comptoir/web/faults.py": "the page of an error, in or out of a visit",
}
"""Where it is looked whether anybody is signed in at all."""


def asked(tree: ast.AST) -> list[int]:
    """The lines that fetch the visit of the request: ``current_visit``, ``g.visit``, ``g.get("visit")``."""
    found = []
    for node in ast.walk(tree):
        match node:
            case (
                ast.Name(id="current_visit")
                | ast.Attribute(attr="current_visit")
                | ast.alias(name="current_visit")
                | ast.Attribute(value=ast.Name(id="g"), attr="visit")
                | ast.Call(
                    func=ast.Attribute(value=ast.Name(id="g"), attr="get"), args=[ast.Constant(value="visit"), *_]
                )
            ):
                found.append(node.lineno)
    return found


def test_only_one_place_fetches_the_visit_and_hands_it_on() -> None:
    elsewhere = {
        str(path.relative_to(ROOT)): lines
        for folder in ("core/comptoir", "plugins")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "node_modules" not in path.parts and (lines := asked(ast.parse(path.read_text())))
    }
    assert set(elsewhere) == {HANDS_ON, *SHOWS}, elsewhere
    assert {len(elsewhere[path]) for path in SHOWS} == {1}


@pytest.mark.parametrize(
    "line",
    [
        "visit = current_visit()",
        "from comptoir.web.session import current_visit",
        "session.current_visit().context",
        "g.visit.user",
        'g.get("visit")',
    ],
)
def test_the_contract_sees_each_way_of_asking(line: str) -> None:
    assert asked(ast.parse(line)) == [1]
