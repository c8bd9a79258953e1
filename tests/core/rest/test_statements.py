"""What a write through the API asks of the database: each statement by its name, so that one more is seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from comptoir.deployment import Deployment
from comptoir.testing.platform import Clock, copied_deployment

TYPES = ("base.contact", "sales.deal", "sales.pipeline")
SELLER = {f"{name}.{action}": "own" for name in TYPES for action in ("read", "create", "write", "delete")}
KEPT = ["INSERT core_search", "INSERT core_history"]
COUNTED = ["INSERT core_search", "INSERT core_summary", "INSERT core_history"]


@pytest.fixture
def deployment(engine_name: str, tmp_path: Path, clock: Clock, _databases: Path) -> Iterator[Deployment]:
    with copied_deployment(engine_name, tmp_path, ["catalog", "sales"], clock=clock, cache=_databases) as opened:
        yield opened


@pytest.fixture
def asked(api_for: Callable[..., Any], statements: Callable[[], Any]) -> Callable[..., list[str]]:
    """The statements of a call by verb and table, the look at the token left out; what a first call warms is warm."""
    api = api_for(SELLER)
    api.made("/sales/deals", name="The first", contact_id=api.made("/base/contacts", name="The first")["id"])

    def asking(method: str, path: str, content: Any = None) -> list[str]:
        with statements() as seen:
            answer = api.call(method, path, content)
        assert answer.status_code < 300, answer.text
        first, *others = names(seen)
        assert first == "SELECT core_token"
        return others

    asking.api = api  # type: ignore[attr-defined]
    return asking


def names(statements: Sequence[str]) -> list[str]:
    """``INSERT base_contact``: the verb and the table that is named first; savepoints are left out."""
    found = [(s.split(None, 1)[0], re.search(r"\b(?:core|base|sales|catalog)_\w+", s)) for s in statements]
    return [f"{verb} {table[0] if table else ''}" for verb, table in found if verb not in ("SAVEPOINT", "RELEASE")]


def test_a_new_contact_is_written_and_nothing_is_asked(asked: Any) -> None:
    assert asked("POST", "/base/contacts", {"name": "Mega Fruct"}) == ["INSERT base_contact", *KEPT]


def test_its_lines_add_one_statement_a_table(asked: Any) -> None:
    content = {
        "name": "Mega Fruct",
        "phones": [{"label": "work", "number": "+40744123401"}],
        "emails": [{"label": "work", "address": "office@megafruct.example"}],
    }
    lines = ["INSERT base_contact_email", "INSERT base_contact_phone"]
    assert asked("POST", "/base/contacts", content) == ["INSERT base_contact", *lines, *KEPT]


def test_a_new_deal_asks_for_its_stages_and_for_all_that_it_refers_to_at_once(asked: Any) -> None:
    contact = asked.api.made("/base/contacts", name="Mega Fruct")["id"]
    content = {"name": "Cold room", "contact_id": contact, "amount": "1250"}
    reads = ["SELECT sales_pipeline", "SELECT base_contact"]
    assert asked("POST", "/sales/deals", content) == [*reads, "INSERT sales_deal", *COUNTED]


def test_a_changed_deal_is_read_and_written_once(asked: Any) -> None:
    deal = asked.api.made("/sales/deals", name="Cold room", amount="1250")
    reads = ["SELECT sales_deal", "SELECT sales_pipeline"]
    path = f"/sales/deals/{deal['id']}"
    assert asked("PATCH", path, {"amount": "1300"}) == [*reads, "UPDATE sales_deal", *COUNTED[1:]]
    assert asked("PATCH", path, {"stage": "won"}) == [*reads, "UPDATE sales_deal", *COUNTED[1:]]


def test_a_changed_contact_reads_the_lines_that_it_is_found_by_and_answers_with(asked: Any) -> None:
    contact = asked.api.made("/base/contacts", name="Mega Fruct")
    lines = ["SELECT base_contact_phone", "SELECT base_contact_email"]
    assert asked("PATCH", f"/base/contacts/{contact['id']}", {"city": "Iași"}) == [
        "SELECT base_contact", *lines, "UPDATE base_contact", *KEPT, "SELECT base_contact_address",
    ]  # fmt: skip


def test_a_deletion_asks_once_whether_anything_hangs_on_it(asked: Any) -> None:
    contact = asked.api.made("/base/contacts", name="Mega Fruct")["id"]
    deal = asked.api.made("/sales/deals", name="Cold room")["id"]
    gone = ["DELETE core_search", "INSERT core_history"]
    assert asked("DELETE", f"/base/contacts/{contact}") == [
        "SELECT base_contact", "SELECT base_contact", "DELETE base_contact", *gone,
    ]  # fmt: skip
    assert asked("DELETE", f"/sales/deals/{deal}") == [
        "SELECT sales_deal", "SELECT sales_lead", "DELETE sales_deal", gone[0], "INSERT core_summary", gone[1],
    ]  # fmt: skip
