"""Saved views: everyone keeps their own, reads what others share of what they may see, and meets the same rules everywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select, text

from comptoir.access.models import User
from comptoir.db.gate import opened
from comptoir.db.migrations import _run, differences, schema_change, upgrade
from comptoir.deployment import Deployment
from comptoir.errors import NotAllowed, RuleViolations
from comptoir.records.history import history_of
from comptoir.records.views import (
    LIST,
    REPORT,
    SavedView,
    change_view,
    delete_view,
    save_view,
    view_of,
    views_of,
)
from comptoir.records.write import delete, save
from comptoir.registry.schema import core_unit
from comptoir.registry.views import MOST
from comptoir.testing.platform import Stage

CONTACTS = "base.contact"
READS = {"base.contact.read": "own"}


@pytest.fixture
def ana(stage: Stage) -> User:
    return stage.user("Ana", grants=READS)


@pytest.fixture
def ion(stage: Stage) -> User:
    return stage.user("Ion", grants=READS)


def kept(stage: Stage, person: User, name: str = "VIP", query: str = "vip", **options: Any) -> int:
    with stage.acting(person) as ctx:
        return save_view(ctx, LIST, CONTACTS, name, [("filter[status]", query)], **options).id


def names(stage: Stage, person: User, subject: str | None = CONTACTS) -> list[str]:
    with stage.acting(person) as ctx:
        return [view.name for view in views_of(ctx, LIST, subject)]


def test_everyone_keeps_views_without_a_role(stage: Stage, ana: User, ion: User) -> None:
    view_id = kept(stage, ana)
    with stage.acting(ana) as ctx:
        view = view_of(ctx, LIST, view_id)
        assert (view.owner_id, view.shared, view.pairs) == (ana.id, False, [("filter[status]", "vip")])
        assert [entry.action for entry in history_of(ctx, view)] == ["created"]
    assert (names(stage, ana), names(stage, ion)) == (["VIP"], [])


def test_a_shared_view_is_read_by_all_and_changed_by_its_owner_alone(stage: Stage, ana: User, ion: User) -> None:
    view_id = kept(stage, ana, shared=True)
    assert names(stage, ion) == ["VIP"]
    for deed in (
        lambda ctx, view: change_view(ctx, view, "Mine now", shared=True),
        lambda ctx, view: change_view(ctx, view, "VIP", shared=False),
        delete_view,
    ):
        with pytest.raises(NotAllowed), stage.acting(ion) as ctx:
            deed(ctx, view_of(ctx, LIST, view_id))
    with stage.acting(ana) as ctx:
        change_view(ctx, view_of(ctx, LIST, view_id), "VIP", shared=False)
    assert names(stage, ion) == []


def test_administrators_mend_what_is_shared_and_do_not_see_what_is_not(stage: Stage, ana: User) -> None:
    chief = stage.user("Chief", administrator=True)
    kept(stage, ana, "Private")
    view_id = kept(stage, ana, shared=True)
    with stage.acting(chief) as ctx:
        assert ctx.session.scalars(select(SavedView.name)).all() == ["VIP"]
        change_view(ctx, view_of(ctx, LIST, view_id), "Best guests", shared=True)
    assert names(stage, ana) == ["Best guests", "Private"]
    with stage.acting(chief) as ctx:
        delete_view(ctx, view_of(ctx, LIST, view_id))
    assert names(stage, ana) == ["Private"]


def test_who_may_not_read_the_records_sees_no_view_of_them(stage: Stage, ana: User) -> None:
    kept(stage, ana, shared=True)
    stranger = stage.user("Radu", grants={})
    assert names(stage, stranger, None) == []


def test_nobody_keeps_a_view_for_somebody_else(stage: Stage, ana: User, ion: User) -> None:
    with pytest.raises(NotAllowed), stage.acting(ion) as ctx:
        save(ctx, [SavedView(name="Planted", subject=CONTACTS, owner_id=ana.id)])


def test_a_name_is_taken_once_in_each_list(stage: Stage, ana: User, ion: User) -> None:
    first = kept(stage, ana)
    assert kept(stage, ana, "  VIP ", "cold") == first  # saving again replaces
    second = kept(stage, ana, "Others")
    kept(stage, ion)
    with pytest.raises(RuleViolations) as refused, stage.acting(ana) as ctx:
        change_view(ctx, view_of(ctx, LIST, second), " VIP ", shared=False)
    assert "name" in refused.value.by_field()
    with pytest.raises(RuleViolations), stage.acting(ana) as ctx:
        save(ctx, [SavedView(name="Twice", subject=CONTACTS), SavedView(name="Twice", subject=CONTACTS)])


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", {"name": " "}),
        ("name", {"name": "x" * 81}),
        ("subject", {"subject": "base.nonsense"}),
        ("subject", {"subject": "base.task"}),  # which Ana may not read
        ("subject", {"page": REPORT, "subject": "base.nonsense"}),
        ("page", {"page": "board"}),
        ("query", {"query": "filter[nonsense]=1"}),
        ("query", {"query": "&".join(f"filter[status]={n}" for n in range(61))}),
        ("query", {"page": REPORT, "query": "rows=nonsense"}),
    ],
)
def test_what_shows_nothing_is_refused_at_its_field(
    stage: Stage, ana: User, field: str, values: dict[str, str]
) -> None:
    with pytest.raises(RuleViolations) as refused, stage.acting(ana) as ctx:
        save(ctx, [SavedView(**{"name": "x", "subject": CONTACTS, **values})])
    assert field in refused.value.by_field()


def test_a_person_keeps_so_many_and_no_more(stage: Stage, ana: User) -> None:
    with stage.acting(ana) as ctx:
        save(ctx, [SavedView(name=str(number), subject=CONTACTS) for number in range(MOST)])
    with pytest.raises(RuleViolations), stage.acting(ana) as ctx:
        save_view(ctx, LIST, CONTACTS, "One more", [])


def test_only_a_person_keeps_views(stage: Stage) -> None:
    with pytest.raises(RuleViolations) as refused, stage.system() as ctx:
        save_view(ctx, LIST, CONTACTS, "Nobody’s", [])
    assert "owner_id" in refused.value.by_field()


def test_views_go_with_their_owner(stage: Stage, ana: User, ion: User) -> None:
    kept(stage, ana, shared=True)
    with stage.system() as ctx:
        delete(ctx, [ctx.session.get_one(User, ana.id)])
    assert names(stage, ion) == []


# -- what was kept before ---------------------------------------------------------------------------------------------------


def _down(deployment: Deployment) -> None:
    with schema_change(deployment.engine) as connection:
        _run(connection, core_unit(), lambda script: lambda now, _c: script._downgrade_revs("comptoir_crashes", now))


def test_what_people_kept_before_is_carried_over_and_back(stage: Stage, deployment: Deployment, ana: User) -> None:
    own = {"scheme": "dark", "views": {CONTACTS: [{"name": "Sea & sun", "query": [["q", "mare"], ["sort", "-name"]]}]}}
    _down(deployment)
    with schema_change(deployment.engine) as connection, opened("test"):
        connection.execute(
            text("UPDATE core_user SET preferences = :p WHERE id = :id"), {"p": json.dumps(own), "id": ana.id}
        )
        connection.execute(
            text(
                "INSERT INTO core_report (id, name, owner_id, shared, report, query, created_at)"
                " VALUES (7, 'By person', :id, :yes, 'base.contact', :query, '2026-01-02 03:04:05+00:00')"
            ),
            {"id": ana.id, "yes": True, "query": json.dumps([["rows", "owner"]])},
        )
    with schema_change(deployment.engine) as connection:
        upgrade(connection, core_unit())
        assert differences(connection, core_unit()) == []
    with stage.acting(ana) as ctx:
        (view,) = views_of(ctx, LIST, CONTACTS)
        assert (view.name, view.pairs) == ("Sea & sun", [("q", "mare"), ("sort", "-name")])
        report = view_of(ctx, REPORT, 7)
        assert (report.name, report.subject, report.pairs) == ("By person", CONTACTS, [("rows", "owner")])
        assert report.shared
        assert save_view(ctx, LIST, CONTACTS, "Next", []).id > 7
    assert json.loads(_preferences(stage, ana)) == {"scheme": "dark"}
    _down(deployment)
    kept = json.loads(_preferences(stage, ana))
    assert kept["scheme"] == "dark"
    assert kept["views"][CONTACTS][0] == own["views"][CONTACTS][0]  # type: ignore[index]
    with schema_change(deployment.engine) as connection:
        assert connection.execute(text("SELECT id, name, report FROM core_report")).one() == (7, "By person", CONTACTS)


def _preferences(stage: Stage, person: User) -> str:
    with stage.system() as ctx:
        found = ctx.session.scalar(select(User.preferences).where(User.id == person.id))
        assert found is not None
        return found
