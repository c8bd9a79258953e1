"""The palette's answers: what reads as typed comes first, and what may be done is offered to whoever may."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

PART = {"HX-Request": "true"}


def titles(answer: Any) -> list[str]:
    return re.findall(r'<span class="w-5">([^<]+)</span>', answer.text)


def found(browser: Any, text: str) -> list[str]:
    return titles(browser.client.get(f"/search?q={text}", headers=PART))


def test_a_name_that_begins_as_typed_comes_before_one_that_holds_it(
    administrator: Any, make_contact: Callable[..., Any]
) -> None:
    for name in ("Cafe Moka", "Mokador SRL", "Moka", "Best of Moka"):
        make_contact(name)
    assert found(administrator, "moka") == ["Moka", "Mokador SRL", "Cafe Moka", "Best of Moka"]


def test_a_name_that_begins_as_typed_is_found_among_many_that_hold_it(
    administrator: Any, make_contact: Callable[..., Any]
) -> None:
    for number in range(25):
        make_contact(f"Cafe {number} Moka")
    make_contact("Moka Bar")
    assert found(administrator, "moka")[0] == "Moka Bar"


def test_the_group_with_the_best_hit_comes_first(administrator: Any, make_contact: Callable[..., Any]) -> None:
    make_contact("Bar Task")
    administrator.get("/base/tasks/new")
    administrator.post("/base/tasks/new", {"title": "Bar Task and more", "priority": "normal"})
    administrator.post("/base/tasks/new", {"title": "Task", "priority": "normal"})
    assert found(administrator, "task")[0] == "Task"


def test_what_one_may_create_and_where_one_may_go_is_offered(administrator: Any) -> None:
    offered = titles(administrator.client.get("/search/start", headers=PART))
    assert {"New contact", "New task", "Contacts", "Modules", "Your account"} <= set(offered)


def test_nobody_is_offered_what_they_may_not_do(browser: Any, make_user: Callable[..., Any]) -> None:
    make_user("Radu", grants={"base.contact.read": "own"}, email="radu@example.org")
    browser.sign_in("radu@example.org")
    offered = titles(browser.client.get("/search/start", headers=PART))
    assert "Contacts" in offered
    assert not {"New contact", "Modules", "Tasks"} & set(offered)
