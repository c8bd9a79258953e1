"""The history on a record's page, from the newest to the first thing that happened."""

from __future__ import annotations

import html
import re
from typing import Any

from comptoir.base.models import Contact, Interaction
from comptoir.records.write import save
from comptoir.testing.platform import Stage

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
