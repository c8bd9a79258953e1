"""What sales does where the platform asks."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import func, select

from comptoir.base.models import Contact, Task
from comptoir.deployment import Deployment
from comptoir.modules.life_cycle import pause_modules, resume_modules
from comptoir.testing.platform import Clock, Stage
from comptoir.toolkit import save
from comptoir_sales.models import Deal, Lead, Pipeline, PipelineStage

READABLE = ("base.contact", "sales.deal", "sales.pipeline", "sales.stage")
pytestmark = pytest.mark.modules("catalog", "sales")


def test_seed_module_gives_a_new_deployment_its_pipeline(stage: Stage) -> None:
    with stage.system() as ctx:
        assert ctx.session.scalars(select(Pipeline.is_default)).all() == [True]
        assert ctx.session.scalar(select(func.count()).select_from(PipelineStage)) == 6


def test_on_module_resumed_finds_the_deals_that_fell_idle_meanwhile(
    deployment: Deployment, stage: Stage, clock: Clock
) -> None:
    ana = stage.user("Ana")
    with stage.system() as ctx:
        save(ctx, [Deal(name="Two grinders", owner_id=ana.id)])
    pause_modules(deployment, ["sales"])
    clock.advance(days=30)

    resume_modules(deployment, ["sales"])

    with stage.system() as ctx:
        assert ctx.session.scalars(select(Task.title)).all() == ["Idle: Two grinders"]


@pytest.mark.parametrize("model", [Deal, Lead])
def test_choose_owner_gives_what_nobody_creates_in_person_to_who_looks_after_the_customer(
    stage: Stage, model: type[Any]
) -> None:
    ana = stage.user("Ana")
    with stage.system() as ctx:
        contact = Contact(name="Kafé Central", owner_id=ana.id)
        save(ctx, [contact])
        made = model(name="Two grinders", contact_id=contact.id)
        save(ctx, [made])

        assert made.owner_id == ana.id


def test_choose_owner_leaves_a_deal_to_the_person_who_creates_it(stage: Stage) -> None:
    everything = {f"{record}.{deed}": "all" for record in READABLE for deed in ("read", "create")}
    ana, radu = stage.user("Ana"), stage.user("Radu", grants=everything)
    with stage.system() as ctx:
        contact = Contact(name="Kafé Central", owner_id=ana.id)
        save(ctx, [contact])
    with stage.acting(radu) as ctx:
        made = Deal(name="Two grinders", contact_id=contact.id, opened_on=dt.date(2026, 11, 1))
        save(ctx, [made])

        assert made.owner_id == radu.id


def test_adapt_form_says_on_a_new_deal_what_becomes_of_an_empty_value(client: Any, sign_in: Any, stage: Stage) -> None:
    sign_in(stage.user("Ana", administrator=True, email="ana@example.org"))

    assert "Left empty, it is the list price of the product." in client.get("/sales/deals/new").text
