"""A stranger's record type gets the pages of base's contact, because its fields say what they are for."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from comptoir.deployment import Deployment
from comptoir.modules.life_cycle import enable_modules
from comptoir.records.planned import next_planned
from comptoir.records.write import save
from comptoir.testing.platform import Stage

pytestmark = pytest.mark.usefixtures("stranger")


@pytest.fixture
def partner(deployment: Deployment) -> int:
    """A chain in Utrecht that was visited and will be again."""
    enable_modules(deployment, ["loyalty"])
    from comptoir_loyalty.models import Partner, Visit

    with deployment.system_context("fill") as ctx:
        found = Partner(
            sign="Koffie Keten", form="chain", standing="proven", town="Utrecht", land="NL", line="+31301234567",
            inbox="keten@example.org",
            seals=["Fair trade", "Bio"],
        )  # fmt: skip
        save(ctx, [found])
        save(
            ctx,
            [
                Visit(
                    purpose="New season", way="wire", partner_id=found.id, seen_at=ctx.now(), hours=2,
                    told="They want beans.", again_on=ctx.today() - dt.timedelta(days=3),
                )
            ],
        )  # fmt: skip
        return found.id


def test_its_page_shows_what_the_roles_say(administrator: Any, partner: int) -> None:
    page = administrator.get(f"/loyalty/partners/{partner}?whole=1").text

    head = page[page.index("rec__head") : page.index("rec__acts")]
    assert re.search(r'class="av [^"]*av--sq"[^>]*>KK<', head)
    assert "Proven" in head
    assert re.findall(r'<span class="tag">([^<]+)</span>', head) == ["Fair trade", "Bio"]
    assert "Utrecht, Netherlands" in head
    assert "3 d late" in head
    assert 'href="tel:+31301234567"' in page
    assert 'href="mailto:keten@example.org"' in page


def test_what_happened_stands_in_its_history(administrator: Any, partner: int) -> None:
    page = administrator.get(f"/loyalty/partners/{partner}?whole=1").text

    entry = next(part for part in page.split("<article") if "By wire: New season" in part)
    assert "tl__ic--ok" in entry
    assert "#phone" in entry
    assert re.search(r"They want beans\.\s+2<", entry)


def test_it_is_written_about_beside_its_page(administrator: Any, deployment: Deployment, partner: int) -> None:
    page = administrator.get(f"/loyalty/partners/{partner}").text
    assert "compose-loyalty-visit" in page
    token = re.search(r'name="csrf-token" content="([^"]+)"', page)
    assert token is not None
    fields = {"csrf_token": token[1], "told": "They pay late.", "again_on": "24.12.2026"}
    answer = administrator.client.post(f"/loyalty/partners/{partner}/compose/loyalty.visit", data=fields)
    assert answer.status_code == 303, answer.text
    assert "They pay late." in administrator.get(f"/loyalty/partners/{partner}?whole=1").text
    assert administrator.json(f"/loyalty/partners/{partner}/timeline")["data"][0]["record"]["told"] == "They pay late."


def test_it_is_found_and_told_apart_by_its_subtitle(administrator: Any, partner: int) -> None:
    assert "Utrecht · Proven" in administrator.get("/search?q=keten").text
    [candidate] = administrator.get("/loyalty/partners/options?q=keten").get_json()
    assert candidate["detail"] == "Utrecht"
    assert "av--sq" in administrator.get("/loyalty/partners").text


def test_a_field_that_one_may_not_read_has_no_role(stage: Stage, partner: int) -> None:
    from comptoir_loyalty.models import Partner

    rights = {"loyalty.partner.read": "all", "loyalty.visit.read": "all"}
    told = {}
    for name, more in (("Ana", {"loyalty.partner.reach": "all"}), ("Radu", {})):
        with stage.acting(stage.user(name, grants=rights | more)) as ctx:
            declared = ctx.registry.record_type(Partner)
            found = ctx.session.get_one(Partner, partner)
            numbers = list(declared.reached_by("dial", found, ctx.actor.grants))
            told[name] = (numbers, [planned.mark for planned in next_planned(ctx, declared, [partner]).values()])

    assert told == {"Ana": (["+31301234567"], ["late"]), "Radu": ([], [])}
