"""Every deed of a page is done on the version that the page has shown, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from comptoir.base.models import Contact
from comptoir.records.history import history_of
from comptoir.records.write import move, save
from comptoir.testing.platform import Stage
from comptoir_sales.models import Deal

DEEDS = ("archive", "restore", "delete")


@pytest.fixture
def contact(make_contact: Any) -> Contact:
    made: Contact = make_contact("Mega Fruct SRL")
    return made


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("version", ["", "7", "x"])
def test_a_deed_on_another_version_is_refused(administrator: Any, contact: Contact, deed: str, version: str) -> None:
    answer = administrator.post(f"/base/contacts/{contact.id}/{deed}", {"version": version})
    assert answer.status_code == 409
    assert "Somebody changed it meanwhile" in answer.text


def test_a_record_goes_to_the_bin_and_comes_back_with_the_versions_that_the_pages_carry(
    administrator: Any, contact: Contact, stage: Stage
) -> None:
    page = f"/base/contacts/{contact.id}"
    assert 'name="version" value="1"' in administrator.get(page).text
    assert administrator.post(f"{page}/archive", {"version": "1"}).status_code == 303
    assert administrator.post(f"{page}/restore", {"version": "1"}).status_code == 409
    assert administrator.post(f"{page}/restore", {"version": "2"}).status_code == 303
    with stage.system() as ctx:
        held = ctx.session.get_one(Contact, contact.id)
        assert [entry.action for entry in history_of(ctx, held)] == ["restored", "archived", "created"]


def test_selected_rows_are_changed_together_or_not_at_all(administrator: Any, make_contact: Any, stage: Stage) -> None:
    kept, changed = make_contact("Mega Fruct SRL"), make_contact("Hotel Marina")
    rows = [f"{kept.id}-1", f"{changed.id}-1"]
    assert f'value="{kept.id}-1"' in administrator.get("/base/contacts").text
    with stage.system() as ctx:
        held = ctx.session.get_one(Contact, changed.id)
        held.sector = "Hotels"
        save(ctx, [held])
    answer = administrator.post("/base/contacts/bulk", {"ids": rows, "action": "archive"})
    assert answer.status_code == 409
    assert "Somebody changed 1 of these records meanwhile" in answer.text
    with stage.system() as ctx:
        assert ctx.session.get_one(Contact, kept.id).archived_at is None
    rows[1] = f"{changed.id}-2"
    assert administrator.post("/base/contacts/bulk", {"ids": rows, "action": "archive"}).status_code == 303


@pytest.mark.modules("catalog", "sales")
@pytest.mark.parametrize(
    ("place", "form"),
    [
        ("/sales/deals/{id}/move", {"to": "{here}"}),
        ("/sales/deals/{id}/move/undo", {}),
        ("/sales/deals/board/move", {"record": "{id}", "to": "{here}"}),
    ],
)
def test_a_move_on_another_version_is_refused(
    administrator: Any, contact: Contact, stage: Stage, place: str, form: dict[str, str]
) -> None:
    deal = Deal(name="Cold store", contact_id=contact.id)
    with stage.system() as ctx:
        save(ctx, [deal])
        workflow = Deal.__record__.workflow
        assert workflow is not None
        here, there = [lane.name for lane in workflow.stages(ctx, deal)][:2]
        move(ctx, deal, there)
        version = deal.version
    body = {name: value.format(id=deal.id, here=here) for name, value in form.items()}
    answer = administrator.post(place.format(id=deal.id), {**body, "version": "1"}, follow_redirects=True)
    assert "Somebody changed it meanwhile" in answer.text
    with stage.system() as ctx:
        assert ctx.session.get_one(Deal, deal.id).version == version
