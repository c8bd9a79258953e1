"""Notes on leads that have no contact yet: seen with the lead, and carried to the contact that it becomes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, inspect, select
from werkzeug.test import TestResponse

from comptoir.access.models import User
from comptoir.access.tokens import create_token
from comptoir.base.models import Contact, Interaction
from comptoir.base.services import log_interaction
from comptoir.context import Context
from comptoir.db.gate import opened
from comptoir.db.migrations import _run, differences, schema_change, upgrade
from comptoir.errors import NotAllowed, RuleViolations
from comptoir.modules.life_cycle import enable_modules, pause_modules, resume_modules
from comptoir.modules.schema import unit_of
from comptoir.modules.uninstall import uninstall_modules
from comptoir.records.history import HistoryEntry
from comptoir.records.query import Query
from comptoir.records.timeline import timeline_of
from comptoir.records.transfer.exporting import export_records
from comptoir.records.transfer.importing import import_table
from comptoir.records.transfer.mapping import parse_mapping
from comptoir.records.transfer.reading import read_table
from comptoir.testing.platform import Stage
from comptoir.toolkit import RecordRef, delete, save
from comptoir_sales import rights
from comptoir_sales.leads import convert_lead, take_conversion_back
from comptoir_sales.models import Lead

pytestmark = pytest.mark.modules("catalog", "sales")

NOTES = {"base.interaction.read": "all", "base.interaction.create": "own", "base.interaction.write": "own"}
OWN_LEADS = {**NOTES, "sales.lead.read": "own", "sales.lead.write": "own"}


def noted(ctx: Context, lead: Lead, body: str = "Wants two grinders", **values: Any) -> Interaction:
    note = Interaction(kind="note", body=body, about=RecordRef("sales.lead", lead.id), **values)
    save(ctx, [note])
    return note


def exported_by(ctx: Context) -> bytes:
    written = io.BytesIO()
    export_records(ctx, ctx.registry.record_type(Interaction), Query(), written)
    return written.getvalue()


@pytest.fixture
def api_of(app: Flask, stage: Stage) -> Callable[[User], Callable[..., TestResponse]]:
    """Calls the API as somebody: ``api_of(user)("GET", "/base/interactions")``."""

    def of(user: User) -> Callable[..., TestResponse]:
        with stage.system() as ctx:
            token, _row = create_token(ctx.bookkeeping("test"), user, "test", (), ctx.now())
        headers = {"Authorization": f"Bearer {token}"}
        return lambda method, path, json=None: app.test_client().open(
            f"/api/v1{path}", method=method, headers=headers, json=json
        )

    return of


@pytest.fixture
def lead(stage: Stage) -> Lead:
    with stage.system() as ctx:
        made = Lead(name="Second shop", company="Mega Fruct SRL", phone="0744 123 456")
        save(ctx, [made])
        return made


def test_the_composer_of_a_lead_takes_notes_and_calls(
    client: FlaskClient, sign_in: Any, stage: Stage, lead: Lead
) -> None:
    sign_in(stage.user("Ana", administrator=True, email="ana@example.org"))
    page = f"/sales/leads/{lead.id}"
    for composer, body in (("base.note", "Wants two grinders"), ("base.call", "Rang twice")):
        token = re.search('name="csrf-token" content="(.+?)"', client.get(page).text)
        assert token is not None
        sent = {"csrf_token": token[1], "body": body, "direction": "out"}
        answer = client.post(f"{page}/compose/{composer}", data=sent)
        assert answer.status_code == 303, answer.text
    shown = client.get(f"{page}?whole=1").text
    assert "Wants two grinders" in shown
    assert "Rang twice" in shown
    with stage.system() as ctx:
        notes = ctx.session.scalars(select(Interaction)).all()
        assert {(note.contact_id, str(note.about)) for note in notes} == {(None, f"sales.lead/{lead.id}")}


def test_an_interaction_has_a_contact_or_what_it_is_about(ctx: Context, lead: Lead) -> None:
    with pytest.raises(RuleViolations) as refused:
        save(ctx, [Interaction(kind="note", body="Of whom?")])
    assert list(refused.value.by_field()) == ["contact_id"]
    note = noted(ctx, lead)
    note.about = None
    with pytest.raises(RuleViolations) as refused:
        save(ctx, [note])
    assert list(refused.value.by_field()) == ["contact_id"]


def test_what_has_no_history_of_its_own_cannot_be_noted_on_alone(ctx: Context, lead: Lead) -> None:
    note = noted(ctx, lead)
    with pytest.raises(RuleViolations) as refused:
        save(ctx, [Interaction(kind="note", body="Well said", about=RecordRef("base.interaction", note.id))])
    assert list(refused.value.by_field()) == ["about"]


def test_a_note_about_a_contact_alone_is_one_of_the_contact(ctx: Context) -> None:
    contact = Contact(name="Mega Fruct SRL")
    save(ctx, [contact])
    note = Interaction(kind="note", body="Friendly", about=RecordRef("base.contact", contact.id))
    save(ctx, [note])
    assert (note.contact_id, note.about) == (contact.id, None)


# -- who sees it ------------------------------------------------------------------------------------------------------


class Eyes:
    """Every way in which somebody could come to see an interaction."""

    def __init__(self, stage: Stage, client: FlaskClient, api_of: Any, user: User) -> None:
        self.stage, self.client, self.api, self.user = stage, client, api_of(user), user

    def see(self, note: Interaction, lead: Lead) -> dict[str, bool]:
        found = dict(self._in_code(note, lead))
        listed = self.api("GET", "/base/interactions?page[size]=100")
        found["list"] = any(row["id"] == note.id for row in (listed.json.get("data") or ()))
        found["record"] = self.api("GET", f"/base/interactions/{note.id}").status_code == 200
        found["page"] = self.client.get(f"/base/interactions/{note.id}").status_code == 200
        found["pages"] = "Wants two grinders" in self.client.get("/base/interactions").text
        found["search"] = "Wants two grinders" in self.client.get("/search?q=grinders").text
        return found

    def _in_code(self, note: Interaction, lead: Lead) -> Iterator[tuple[str, bool]]:
        with self.stage.acting(self.user, write=False) as ctx:
            yield "get", ctx.session.get(Interaction, note.id) is not None
            yield "count", bool(ctx.session.scalar(select(func.count()).select_from(Interaction)))
            about = Interaction.about == RecordRef("sales.lead", lead.id)
            yield "about", bool(ctx.session.scalars(select(Interaction.id).where(about)).all())
            if ctx.may("base.interaction.read"):
                yield "export", b"Wants two grinders" in exported_by(ctx)
            own = ctx.session.get(Lead, lead.id)
            if own is not None:
                told = timeline_of(ctx, own).happenings
                yield "timeline", any(h.row is not None and h.row["id"] == note.id for h in told)


@pytest.fixture
def eyes_of(stage: Stage, client: FlaskClient, sign_in: Any, api_of: Any) -> Callable[[User], Eyes]:
    def made(user: User) -> Eyes:
        sign_in(user)
        return Eyes(stage, client, api_of, user)

    return made


@pytest.mark.parametrize(
    ("grants", "is_owner", "sees"),
    [
        ({**NOTES, "sales.lead.read": "all"}, False, True),
        (OWN_LEADS, True, True),
        (OWN_LEADS, False, False),
        ({**NOTES, "sales.lead.read": "team"}, False, False),
        (NOTES, False, False),
        ({**NOTES, "base.contact.read": "all"}, False, False),
        ({"sales.lead.read": "all"}, False, False),
        ({"sales.lead.read": "all", "base.interaction.read": "own"}, False, False),
        ({}, False, False),
    ],
)
def test_a_note_on_a_lead_is_seen_by_whoever_reads_both_and_by_nobody_else(
    grants: dict[str, str], is_owner: bool, sees: bool, stage: Stage, lead: Lead, eyes_of: Callable[[User], Eyes]
) -> None:
    reader = stage.user("Radu", grants=grants, email="radu@example.org")
    with stage.system() as ctx:
        kept = ctx.session.get_one(Lead, lead.id)
        kept.owner_id = reader.id if is_owner else stage.user("Leyla").id
        save(ctx, [kept])
        note = noted(ctx, kept)
    seen = eyes_of(reader).see(note, lead)
    assert set(seen.values()) == {sees}, seen


def test_the_contact_decides_where_there_is_one(stage: Stage, lead: Lead) -> None:
    """As before: what a note is about besides its contact widens nothing."""
    with stage.system() as ctx:
        contact = Contact(name="Hidden")
        save(ctx, [contact])
        note = noted(ctx, ctx.session.get_one(Lead, lead.id), contact_id=contact.id)
    reader = stage.user("Radu", grants={**NOTES, "sales.lead.read": "all", "base.contact.read": "own"})
    with stage.acting(reader, write=False) as acting:
        assert acting.session.get(Interaction, note.id) is None


def test_who_reads_a_lead_notes_on_it_and_on_no_other(stage: Stage, lead: Lead) -> None:
    with stage.system() as ctx:
        agent = stage.user("Radu", grants=OWN_LEADS)
        own = Lead(name="Own", owner_id=agent.id)
        save(ctx, [own])
    with stage.acting(agent) as acting:
        note = noted(acting, acting.session.get_one(Lead, own.id))
        assert note.owner_id == agent.id
        with pytest.raises(RuleViolations) as refused:
            noted(acting, lead)
        assert list(refused.value.by_field()) == ["about"]


def test_who_may_read_a_contact_but_not_change_it_adds_to_its_history(stage: Stage) -> None:
    with stage.system() as ctx:
        agent = stage.user("Radu", grants={**NOTES, "base.contact.read": "own"})
        contact, foreign = Contact(name="Own", owner_id=agent.id), Contact(name="Foreign")
        save(ctx, [contact, foreign])
    with stage.acting(agent) as acting:
        note = log_interaction(acting, acting.session.get_one(Contact, contact.id), kind="note", body="Friendly")
        note.contact_id = foreign.id
        with pytest.raises((RuleViolations, NotAllowed)):
            save(acting, [note])


# -- what becomes of it -----------------------------------------------------------------------------------------------


def test_converting_carries_what_was_noted_to_the_contact(ctx: Context, lead: Lead) -> None:
    kept = ctx.session.get_one(Lead, lead.id)
    note = noted(ctx, kept)
    deal = convert_lead(ctx, kept)
    assert (note.contact_id, note.about) == (deal.contact_id, RecordRef("sales.lead", lead.id))
    contact = ctx.session.get_one(Contact, deal.contact_id)
    assert [h.row["id"] for h in timeline_of(ctx, contact).happenings if h.row is not None and h.declared is not None
            and h.declared.name == "base.interaction"] == [note.id]  # fmt: skip
    told = ctx.bookkeeping("test").scalars(
        select(HistoryEntry).where(HistoryEntry.record_type == "base.interaction", HistoryEntry.record_id == note.id)
    )
    assert any("contact_id" in entry.changes for entry in told if entry.action == "changed")


def test_a_seller_who_converts_carries_what_colleagues_noted(stage: Stage, lead: Lead) -> None:
    agent = next(role for role in rights.ROLES if role.name == "sales.agent")
    seller = stage.user("Radu", grants=dict(agent.permissions))
    with stage.system() as ctx:
        kept = ctx.session.get_one(Lead, lead.id)
        kept.owner_id = seller.id
        save(ctx, [kept])
        note = noted(ctx, kept, owner_id=stage.user("Leyla").id)
    with stage.acting(seller) as acting:
        deal = convert_lead(acting, acting.session.get_one(Lead, lead.id))
    with stage.system() as ctx:
        assert ctx.session.get_one(Interaction, note.id).contact_id == deal.contact_id


def test_a_conversion_taken_back_leaves_the_notes_with_the_lead(ctx: Context, lead: Lead) -> None:
    kept = ctx.session.get_one(Lead, lead.id)
    note = noted(ctx, kept)
    deal = convert_lead(ctx, kept)
    take_conversion_back(ctx, kept)
    assert (note.contact_id, note.about) == (None, RecordRef("sales.lead", lead.id))
    assert ctx.session.get_one(Contact, deal.contact_id).archived_at is not None


def test_a_note_on_a_new_lead_starts_this_lead_alone(ctx: Context, lead: Lead) -> None:
    kept, other = ctx.session.get_one(Lead, lead.id), Lead(name="Another")
    save(ctx, [other])
    noted(ctx, kept)
    assert (kept.status, other.status) == ("working", "new")


def test_notes_go_with_the_lead_that_they_hang_on(ctx: Context, lead: Lead) -> None:
    contact = Contact(name="Mega Fruct SRL")
    save(ctx, [contact])
    kept = ctx.session.get_one(Lead, lead.id)
    alone, of_contact = noted(ctx, kept), noted(ctx, kept, contact_id=contact.id)
    delete(ctx, [kept])
    assert ctx.session.get(Interaction, alone.id) is None
    assert (of_contact.contact_id, of_contact.about) == (contact.id, None)


def test_notes_rest_while_sales_is_paused(stage: Stage, lead: Lead) -> None:
    reader = stage.user("Radu", grants={**NOTES, "sales.lead.read": "all"})
    with stage.system() as ctx:
        note = noted(ctx, ctx.session.get_one(Lead, lead.id))
    for change, is_seen in ((pause_modules, False), (resume_modules, True)):
        change(stage.deployment, ["sales"])
        with stage.acting(reader, write=False) as acting:
            assert (acting.session.get(Interaction, note.id) is not None) is is_seen


def test_notes_come_back_with_the_module_and_nobody_but_administrators_sees_them_meanwhile(
    stage: Stage, lead: Lead
) -> None:
    reader = stage.user("Radu", grants={**NOTES, "sales.lead.read": "all", "base.contact.read": "all"})
    administrator = stage.user("Ana", administrator=True)
    with stage.system() as ctx:
        note = noted(ctx, ctx.session.get_one(Lead, lead.id))
    outcome = uninstall_modules(stage.deployment, ["sales"])
    assert outcome.untouched
    assert outcome.export is not None
    for user, is_seen in ((reader, False), (administrator, True)):
        with stage.acting(user, write=False) as acting:
            assert (acting.session.get(Interaction, note.id) is not None) is is_seen
    enable_modules(stage.deployment, ["sales"], restore=[outcome.export])
    with stage.acting(stage.user("Ion", grants={**NOTES, "sales.lead.read": "all"}), write=False) as acting:
        assert acting.session.get_one(Interaction, note.id).about == RecordRef("sales.lead", lead.id)


def test_the_history_of_base_goes_down_and_up_again_without_what_had_no_place_before(stage: Stage, lead: Lead) -> None:
    with stage.system() as ctx:
        contact = Contact(name="Mega Fruct SRL")
        save(ctx, [contact])
        kept = log_interaction(ctx, contact, kind="note", body="Friendly")
        noted(ctx, ctx.session.get_one(Lead, lead.id))
    unit, engine = unit_of(stage.deployment.registry, "base"), stage.deployment.engine
    with schema_change(engine) as connection, opened("test"):
        _run(connection, unit, lambda script: lambda now, _c: script._downgrade_revs("base_kinds", now))
        columns = inspect(connection).get_columns("base_interaction")
        assert [column["nullable"] for column in columns if column["name"] == "contact_id"] == [False]
    with schema_change(engine) as connection:
        upgrade(connection, unit)
        assert not differences(connection, unit)
    with stage.system() as ctx:
        assert ctx.session.scalars(select(Interaction.id)).all() == [kept.id]
        noted(ctx, ctx.session.get_one(Lead, lead.id))


# -- the API and files --------------------------------------------------------------------------------------------------


def test_the_api_takes_it_and_says_what_is_missing(api_of: Any, stage: Stage, lead: Lead) -> None:
    api = api_of(stage.user("Radu", grants={**NOTES, "sales.lead.read": "all"}))
    about = f"sales.lead/{lead.id}"
    made = api("POST", "/base/interactions", {"kind": "note", "body": "Wants two", "about": about})
    assert (made.status_code, made.json["contact_id"], made.json["about"]) == (201, None, about)
    refused = api("POST", "/base/interactions", {"kind": "note", "body": "Wants two"})
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["contact_id"])


def test_it_is_exported_and_imported_without_a_contact(stage: Stage, lead: Lead, tmp_path: Any) -> None:
    with stage.system() as ctx:
        note = noted(ctx, ctx.session.get_one(Lead, lead.id))
        declared = ctx.registry.record_type(Interaction)
        path = tmp_path / "interactions.csv"
        path.write_bytes(exported_by(ctx))
        delete(ctx, [note])
        table = read_table(path)
        report = import_table(ctx, declared, table, parse_mapping(ctx, declared, table.columns))
        assert (report.created, report.failed) == (1, 0)
        again = ctx.session.scalars(select(Interaction)).one()
        assert (again.contact_id, again.about, again.body) == (None, RecordRef("sales.lead", lead.id), note.body)
