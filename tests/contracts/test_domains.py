"""The platform knows no domain: what it needs of a field it asks by its role, never by the name that base gave it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "core" / "comptoir"
FOLDERS = ("web", "rest", "records", "registry", "modules", "contributions", "db")
BASE = re.compile(r"base[._](contact|interaction|task|appointment|user)(?![a-z])")
FIELDS = {
    "phones", "emails", "addresses", "city", "country", "contact", "contact_id", "parent_id", "kind", "company", "person",
    "direction", "minutes", "happened_at", "due_on", "due_at", "done_at", "starts_at", "ends_at", "body", "subject",
    "lost_reason", "lost_reason_id", "email", "code", "number", "call", "phonein", "phoneout", "note", "meeting", "letter",
}  # fmt: skip
OTHERS = {
    "registry/people.py": "users and teams, which the core itself declares",
    "registry/policies.py": "users and teams, which the core itself declares",
    "web/account.py": "users, whom the core itself declares",
    "web/pages/admin/users.py": "users, whom the core itself declares",
    "web/pages/admin/security.py": "the log of security",
    "rest/security.py": "the log of security",
    "rest/problems.py": "the number of an error",
    "db/fields.py": "the functions that declare fields",
}
"""Where such a word means something else."""
WORDS = {
    "contributions/parts.py": {"note"}, "web/models/record.py": {"note", "body"},  # an icon, and the input of a composer
    "web/cell_html.py": {"email", "person"}, "web/pages/cells.py": {"person"},  # looks of a cell
    "web/pages/admin/roles.py": {"number"}, "web/pages/admin/module_data.py": {"number"},
    "web/pages/report/view.py": {"number"},  # the same
    "rest/openapi/schemas.py": {"number", "kind"}, "rest/resources.py": {"number", "kind"},  # members of answers
    "records/query/parse.py": {"number"}, "records/transfer/mapping.py": {"number"},
    "records/views.py": {"subject"}, "registry/views.py": {"subject"},  # what a saved view shows
    "records/timeline.py": {"body"}, "web/pages/record/timeline.py": {"body"},  # the role
}  # fmt: skip


def literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The texts of a source that are no documentation, and the attributes by which it reads a record."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def named(path: Path) -> Iterator[str]:
    place = str(path.relative_to(CORE))
    for line, text in literals(ast.parse(path.read_text("utf-8"))):
        if BASE.search(text) or text in FIELDS - WORDS.get(place, set()):
            yield f"{place}:{line} {text!r}"


def sources() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((CORE / folder).rglob("*.py")):
            if str(path.relative_to(CORE)) not in OTHERS and "node_modules" not in path.parts:
                yield path


@pytest.mark.parametrize(
    "text", ['x = "base.contact"', 'x = ("city", "country")', 'getattr(record, "kind")', 'f("base_task")']
)
def test_a_name_of_base_is_recognised(text: str, tmp_path: Path) -> None:
    assert any(BASE.search(word) or word in FIELDS for _line, word in literals(ast.parse(text)))


def test_a_docstring_may_give_an_example() -> None:
    assert not list(literals(ast.parse('"""Such as ``base.contact``."""\nx: int\n"""contact_id"""')))


def test_nothing_in_the_platform_names_what_base_brings() -> None:
    assert not [found for path in sources() for found in named(path)]


def test_no_exception_outlives_its_reason() -> None:
    for place in OTHERS:
        found = [text for _line, text in literals(ast.parse((CORE / place).read_text("utf-8")))]
        assert any(BASE.search(text) or text in FIELDS for text in found), place
    for place, words in WORDS.items():
        found = [text for _line, text in literals(ast.parse((CORE / place).read_text("utf-8")))]
        assert words <= set(found), place
