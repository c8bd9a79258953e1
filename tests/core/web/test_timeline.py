"""The history on a record's page, from the newest to the first thing that happened."""

from __future__ import annotations

import datetime as dt
import html
import re
from typing import Any

import pytest

from comptoir.base.models import Contact, Interaction, Task
from comptoir.records.write import move, save
from comptoir.testing.platform import Stage
from comptoir.values import RecordRef

PARTIAL = {"HX-Request": "true"}


def test_show_earlier_leads_to_the_first_thing_that_happened(administrator: Any, stage: Stage) -> None:
    with stage.system() as ctx:
        contact = Contact(name="Mega Fruct SRL", kind="company")
        save(ctx, [contact])
        moment = ctx.now()
        notes = [
            Interaction(contact_id=contact.id, kind="note", body=f"Note {n:03}", happened_at=moment) for n in range(200)
        ]
        save(ctx, notes)
    page = f"/base/contacts/{contact.id}"

    answer, told = administrator.get(f"{page}?whole=1"), []
    while True:
        told += re.findall(r"Note \d\d\d|created it", answer.text)
        following = re.search(r'hx-get="([^"]*/timeline[^"]*)"', answer.text)
        if following is None:
            break
        assert "Show earlier" in answer.text
        answer = administrator.get(html.unescape(following[1]), headers=PARTIAL)

    assert sorted(told) == sorted([*(f"Note {n:03}" for n in range(200)), "created it"])
    assert told[-1] == "created it"


def test_a_place_that_was_made_up_is_refused(administrator: Any, stage: Stage) -> None:
    with stage.system() as ctx:
        contact = Contact(name="Mega Fruct SRL")
        save(ctx, [contact])
    answer = administrator.get(f"/base/contacts/{contact.id}/timeline?after=yesterday", headers=PARTIAL)
    assert answer.status_code == 422


def test_what_is_planned_next_comes_with_the_rest_of_the_page(administrator: Any, stage: Stage) -> None:
    with stage.system() as ctx:
        contact = Contact(name="Mega Fruct SRL")
        save(ctx, [contact])
        save(ctx, [Task(title="Call", contact_id=contact.id, due_on=ctx.today())])
    page = f"/base/contacts/{contact.id}"

    assert "act--today" not in administrator.get(page).text
    assert "act--today" in administrator.get(f"{page}?whole=1").text
    rest = administrator.get(f"{page}/rest", headers=PARTIAL).text
    assert re.search(r'id="act" hx-swap-oob="true">.*Due today: Task', rest)


@pytest.mark.modules("catalog", "sales")
def test_cards_of_the_board_show_what_is_planned_next(administrator: Any, stage: Stage) -> None:
    from comptoir_sales.models import Deal

    with stage.system() as ctx:
        late, none, won = deals = [Deal(name=name) for name in ("Late", "None", "Won")]
        save(ctx, deals)
        move(ctx, won, "won")
        save(
            ctx, [Task(title="Call", about=RecordRef("sales.deal", late.id), due_on=ctx.today() - dt.timedelta(days=2))]
        )
    board = administrator.get("/sales/deals/board").text

    cards = dict(re.findall(r'data-card="(\d+)"(.*?)(?=data-card=|\Z)', board, re.DOTALL))
    assert "2 d late" in cards[str(late.id)]
    assert "act--none" in cards[str(none.id)]
    assert "act--" not in cards[str(won.id)].split("</section>")[0]


@pytest.mark.modules("catalog", "sales")
def test_a_list_of_what_one_follows_up_has_a_column_for_it(administrator: Any, stage: Stage) -> None:
    with stage.system() as ctx:
        first, second = contacts = [Contact(name=name, kind="company") for name in ("A", "B")]
        save(ctx, contacts)
        save(ctx, [Task(title="Call", contact_id=first.id, due_on=ctx.today() + dt.timedelta(days=1))])

    page = administrator.get("/base/contacts").text
    rows = dict(re.findall(r'data-row="/base/contacts/(\d+)"(.*?)</tr>', page, re.DOTALL))
    assert "act--plan" in rows[str(first.id)]
    assert "Tomorrow" in rows[str(first.id)]
    assert "act--none" in rows[str(second.id)]
    assert "act--plan" in administrator.get("/base/contacts?group=kind").text
    assert "act--" not in administrator.get("/catalog/products").text + administrator.get("/base/tasks").text
