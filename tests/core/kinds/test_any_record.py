"""What an activity is about is resolved through the actor's rules at every entrance: form, API, import and code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from comptoir.access.models import User
from comptoir.base.models import Appointment, Contact, Interaction, Task
from comptoir.errors import RuleViolations
from comptoir.records.transfer.importing import import_table
from comptoir.records.transfer.mapping import parse_mapping
from comptoir.records.transfer.reading import read_table
from comptoir.testing.platform import Stage
from comptoir.toolkit import RecordRef, save

OWN = {
    **{f"base.contact.{action}": "own" for action in ("read", "create", "write")},
    **{f"base.task.{action}": "own" for action in ("read", "create", "write")},
}


@pytest.fixture
def seller(stage: Stage) -> User:
    return stage.user("Radu", grants=OWN, email="radu@example.org")


@pytest.fixture
def own(stage: Stage, seller: User) -> RecordRef:
    """A contact of the seller's."""
    with stage.acting(seller) as ctx:
        made = Contact(name="Own")
        save(ctx, [made])
        return RecordRef("base.contact", made.id)


@pytest.fixture
def foreign(make_contact: Callable[..., Contact]) -> RecordRef:
    """A contact that the seller may not see."""
    return RecordRef("base.contact", make_contact("Somebody else's").id)


def targets(foreign: RecordRef) -> list[RecordRef]:
    """What nobody, or not this seller, may see: another's, one that is gone, a type that there is not, one without a right."""
    return [foreign, RecordRef("base.contact", 10**9), RecordRef("shop.order", 1), RecordRef("base.appointment", 1)]


def test_code_takes_what_the_actor_sees_and_refuses_the_rest(
    stage: Stage, seller: User, own: RecordRef, foreign: RecordRef
) -> None:
    with stage.acting(seller) as ctx:
        save(ctx, [Task(title="Call", about=own)])
        for about in targets(foreign):
            with pytest.raises(RuleViolations) as refused:
                save(ctx, [Task(title="Call", about=about)])
            assert list(refused.value.by_field()) == ["about"]


def test_the_api_takes_what_the_actor_sees_and_refuses_the_rest(
    api_for: Callable[..., Any], stage: Stage, foreign: RecordRef
) -> None:
    api = api_for(OWN)
    mine = api("POST", "/base/contacts", {"name": "Own", "kind": "company"}).json
    made = api("POST", "/base/tasks", {"title": "Call", "about": f"base.contact/{mine['id']}"})
    assert (made.status_code, made.json["about"]) == (201, f"base.contact/{mine['id']}")
    for about in (*map(str, targets(foreign)), "nonsense", "base.contact/0", "base.contact/x", 7):
        answer = api("POST", "/base/tasks", {"title": "Call", "about": about})
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["about"]), about
        changed = api("PATCH", f"/base/tasks/{made.json['id']}", {"about": about, "version": 1})
        assert (changed.status_code, list(changed.json["errors"])) == (422, ["about"]), about


def test_lists_are_filtered_by_it(api_for: Callable[..., Any]) -> None:
    api = api_for(OWN)
    mine = api("POST", "/base/contacts", {"name": "Own", "kind": "company"}).json
    about = f"base.contact/{mine['id']}"
    api("POST", "/base/tasks", {"title": "Call", "about": about})
    api("POST", "/base/tasks", {"title": "Write"})
    for asked, titles in ((f"filter[about]={about}", ["Call"]), ("filter[about][is_null]=true", ["Write"])):
        found = api("GET", f"/base/tasks?fields=title,about&{asked}").json["data"]
        assert [row["title"] for row in found] == titles
    assert api("GET", "/base/tasks?filter[about]=nonsense").status_code in (400, 422)


def test_a_form_takes_the_address_of_a_page_and_shows_the_title(
    client: Any, sign_in: Callable[[User], None], seller: User, own: RecordRef, foreign: RecordRef, stage: Stage
) -> None:
    sign_in(seller)

    def post(about: str) -> Any:
        token = client.get("/base/tasks/new").text.partition('name="csrf-token" content="')[2].partition('"')[0]
        return client.post(
            "/base/tasks/new", data={"csrf_token": token, "title": "Call", "about": about, "priority": "normal"}
        )

    assert post(f"https://comptoir.example/base/contacts/{own.record_id}").status_code == 303
    with stage.system() as ctx:
        (task,) = ctx.session.scalars(select(Task)).all()
        assert task.about == own
    assert f'href="/base/contacts/{own.record_id}"' in client.get(f"/base/tasks/{task.id}").text
    for about in (*map(str, targets(foreign)), "nonsense"):
        answer = post(about)
        assert answer.status_code == 422, about
        assert 'id="f-about-e"' in answer.text


def test_an_import_names_the_row_that_points_at_nothing(
    stage: Stage, seller: User, own: RecordRef, foreign: RecordRef, tmp_path: Any
) -> None:
    path = tmp_path / "tasks.csv"
    path.write_text(f"title,about\nCall,{own}\nWrite,{foreign}\nVisit,nonsense\n", encoding="utf-8")
    with stage.acting(seller) as ctx:
        declared, failed = ctx.registry.record_type("base.task"), []
        table = read_table(path)
        report = import_table(
            ctx,
            declared,
            table,
            parse_mapping(ctx, declared, table.columns),
            listen=lambda p, _row: failed.append(p.line),
        )
        assert (report.created, report.failed, sorted(failed)) == (1, 2, [3, 4])


def test_the_registry_names_every_field_that_may_point_at_any_record(stage: Stage) -> None:
    with stage.system() as ctx:
        known = {
            (model, name) for model, name in ctx.registry.any_record_fields if model.__module__.startswith("comptoir.")
        }
        assert known == {(Task, "about"), (Interaction, "about"), (Appointment, "about")}
