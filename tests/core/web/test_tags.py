"""Tags of a contact: typed between commas, shown beside the name, found one by one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from comptoir.base.models import Contact
from comptoir.records.write import save
from comptoir.testing.platform import Stage


def beside_the_name(page: str) -> list[str]:
    head = page[page.index("rec__title") : page.index("rec__acts")]
    return re.findall(r'<span class="tag">([^<]+)</span>', head)


def test_what_is_typed_between_commas_stands_beside_the_name(administrator: Any) -> None:
    fields = {"name": "Mega Fruct SRL", "kind": "company", "status": "new", "tags": "HoReCa,  key account , HoReCa"}
    administrator.get("/base/contacts/new")
    answer = administrator.post("/base/contacts/new", fields)
    assert beside_the_name(administrator.get(answer.location).text) == ["HoReCa", "key account"]


def test_a_tag_that_cannot_be_one_is_refused_at_its_field(administrator: Any) -> None:
    administrator.get("/base/contacts/new")
    answer = administrator.post(
        "/base/contacts/new", {"name": "Mega Fruct SRL", "kind": "company", "tags": 'so-called "A"'}
    )
    assert answer.status_code == 422
    assert 'id="f-tags-e"' in answer.text
    assert "so-called" in answer.text


@pytest.mark.parametrize(("asked", "found"), [("has", ["Cafeneaua Veche"]), ("has_not", ["Bakkerij", "Mega Fruct"])])
def test_a_list_is_narrowed_to_a_tag(administrator: Any, stage: Stage, asked: str, found: list[str]) -> None:
    with stage.system() as ctx:
        save(ctx, [Contact(name="Cafeneaua Veche", tags=["HoReCa"]), Contact(name="Bakkerij"),
                   Contact(name="Mega Fruct", tags=["Not HoReCa"])])  # fmt: skip
    page = administrator.get(f"/base/contacts?filter[tags][{asked}]=HoReCa").text
    assert [name for name in ("Bakkerij", "Cafeneaua Veche", "Mega Fruct") if name in page] == found


def test_whoever_may_not_change_a_contact_sees_its_tags(
    browser: Any, stage: Stage, make_user: Callable[..., Any]
) -> None:
    make_user("Ion", email="ion@example.org", grants={"base.contact.read": "all"})
    with stage.system() as ctx:
        contact = Contact(name="Mega Fruct", tags=["HoReCa"])
        save(ctx, [contact])
        path = f"/base/contacts/{contact.id}"
    browser.sign_in("ion@example.org")
    assert beside_the_name(browser.get(path).text) == ["HoReCa"]
