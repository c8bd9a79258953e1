"""Views of a list on its page: kept, changed, shared and thrown away, by whoever may."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from comptoir.access.models import User
from comptoir.records.views import LIST, REPORT, SavedView, save_view
from comptoir.testing.platform import Stage

LISTED = "/base/contacts"
VIP = f"{LISTED}?filter[status]=vip"


@pytest.fixture
def ana(stage: Stage) -> User:
    return stage.user("Ana", email="ana@example.org", grants={"base.contact.read": "all", "base.task.read": "own"})


@pytest.fixture
def reader(browser: Any, ana: User) -> Any:
    """Ana's browser."""
    browser.sign_in("ana@example.org")
    return browser


@pytest.fixture
def colleague(reader: Any, client: Any, stage: Stage) -> Any:
    """The browser of Ion, who sees contacts of his own alone."""
    stage.user("Ion", email="ion@example.org", grants={"base.contact.read": "own"})
    ion = type(reader)(client.application.test_client())
    ion.sign_in("ion@example.org")
    return ion


def tabs(browser: Any, address: str = LISTED) -> dict[str, str]:
    """The views that the list offers, with their addresses."""
    bar = browser.get(address).text.partition('<nav class="tabs tabs--bare"')[2].partition("</nav>")[0]
    found = re.findall(r'href="([^"]+)"[^>]*>(.*?)</a>', bar, re.DOTALL)
    return {re.sub(r"<[^>]+>", "", label): unescape(url) for url, label in found}


def keep(browser: Any, name: str = "Best", address: str = VIP, **more: str) -> None:
    browser.get(address)
    answer = browser.post(f"{LISTED}/views", {"name": name, "next": address, **more})
    assert answer.status_code == 303, answer.text


def change(browser: Any, address: str = VIP, **fields: str) -> Any:
    """Send the form that the page shows for the view that it is."""
    shown = browser.get(address).text
    place, version = re.search(r'action="(/base/contacts/views/\d+)".*?name="version" value="(\d+)"', shown).groups()  # type: ignore[union-attr]
    return browser.post(place + fields.pop("deed", ""), {"version": version, "next": address, **fields})


def test_a_view_is_kept_renamed_and_deleted(reader: Any) -> None:
    keep(reader)
    assert tabs(reader)["Best"] == VIP
    assert change(reader, name="Guests").status_code == 303
    assert "is saved" in reader.get(LISTED).text
    assert "Guests" in tabs(reader)
    assert "Best" not in tabs(reader)
    assert change(reader, deed="/delete").headers["Location"] == LISTED
    assert "Guests" not in tabs(reader)


def test_a_view_is_private_until_it_is_shared(reader: Any, colleague: Any) -> None:
    keep(reader)
    assert "Best" not in tabs(colleague)
    change(reader, name="Best", shared="1")
    assert tabs(colleague)["Best"] == VIP
    change(reader, name="Best")
    assert "Best" not in tabs(colleague)


def test_a_shared_view_shows_only_what_its_reader_may_see(reader: Any, colleague: Any, make_contact: Any) -> None:
    make_contact("Hotel Marina", status="vip")
    keep(reader, shared="1")
    assert "Hotel Marina" in reader.get(tabs(reader)["Best"]).text
    assert "Hotel Marina" not in colleague.get(tabs(colleague)["Best"]).text


def test_a_shared_view_has_no_menu_for_its_readers_and_refuses_them(reader: Any, colleague: Any) -> None:
    keep(reader, shared="1")
    place = re.search(r'action="(/base/contacts/views/\d+)"', reader.get(VIP).text)[1]  # type: ignore[index]
    assert "/base/contacts/views/" not in colleague.get(VIP).text
    assert colleague.post(place, {"name": "Mine", "version": "1", "next": VIP}).status_code == 403
    assert colleague.post(f"{place}/delete", {"version": "1", "next": VIP}).status_code == 403
    assert "Best" in tabs(reader)


def test_somebody_elses_own_view_is_not_there(reader: Any, colleague: Any) -> None:
    keep(reader)
    place = re.search(r'action="(/base/contacts/views/\d+)"', reader.get(VIP).text)[1]  # type: ignore[index]
    colleague.get(LISTED)
    assert colleague.post(f"{place}/delete", {"version": "1", "next": VIP}).status_code == 404
    assert colleague.get("/base/views/1").status_code == 404


@pytest.mark.parametrize(("page", "subject"), [(LIST, "base.task"), (REPORT, "base.contact")])
def test_what_another_page_shows_is_not_changed_here(
    reader: Any, stage: Stage, ana: User, page: str, subject: str
) -> None:
    with stage.acting(ana) as ctx:
        view = save_view(ctx, page, subject, "Elsewhere", [])
    reader.get(LISTED)
    assert reader.post(f"{LISTED}/views/{view.id}/delete", {"version": "1"}).status_code == 404


def test_a_view_that_somebody_changed_meanwhile_is_not_overwritten(reader: Any) -> None:
    keep(reader)
    change(reader, name="Guests")
    place = re.search(r'action="(/base/contacts/views/\d+)"', reader.get(VIP).text)[1]  # type: ignore[index]
    assert reader.post(place, {"name": "Late", "version": "1", "next": VIP}).status_code == 409


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "Taken"])
def test_a_bad_name_is_refused(reader: Any, name: str) -> None:
    keep(reader, "Taken", f"{LISTED}?filter[status]=new")
    keep(reader)
    assert change(reader, name=name).status_code == 422
    assert {"Best", "Taken"} <= tabs(reader).keys()


def test_a_view_whose_field_is_gone_says_so_and_can_be_deleted(reader: Any, stage: Stage, ana: User) -> None:
    with stage.acting(ana) as ctx:
        view = save_view(ctx, LIST, "base.contact", "Old", [])
    broken = f"{LISTED}?filter[shoe_size]=44"
    with stage.system() as ctx, ctx.bulk("a module went"):
        ctx.session.execute(
            SavedView.__table__.update().where(SavedView.id == view.id).values(query="filter[shoe_size]=44")  # type: ignore[attr-defined]
        )
    assert tabs(reader)["Old"] == broken
    answer = reader.get(broken)
    assert answer.status_code == 422
    assert "These filters could not be applied" in answer.text
    assert change(reader, broken, deed="/delete").status_code == 303
    assert "Old" not in tabs(reader)


def test_a_view_may_keep_its_columns(reader: Any, colleague: Any, make_contact: Any) -> None:
    make_contact("Hotel Marina", status="vip")
    keep(reader, shared="1", columns="1")
    assert "columns=name,kind,status" in tabs(colleague)["Best"]
    shown = reader.get(f"{LISTED}?columns=name,city,nonsense").text
    headings = shown.partition("<thead>")[2].partition("</thead>")[0]
    assert "City" in headings
    assert "Status" not in headings


def test_columns_chosen_in_a_view_take_the_place_of_its_own(reader: Any) -> None:
    address = f"{LISTED}?columns=name,city"
    reader.get(address)
    answer = reader.post(f"{LISTED}/columns", {"columns": ["name", "kind"], "next": address})
    assert answer.headers["Location"] == LISTED
