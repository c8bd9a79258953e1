"""API tokens: shown once, limited to scopes, gone when revoked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from sqlalchemy import event, select

from comptoir.access.models import ApiToken, User
from comptoir.access.tokens import (
    check_scopes,
    create_token,
    find_token,
    list_tokens,
    revoke_token,
    touch_token,
)
from comptoir.access.users import disable_user, set_password
from comptoir.db.gate import RecordSession
from comptoir.errors import NotFound, RuleViolation

Person = Callable[..., User]
KNOWN = ["base.contact.read", "sales.deal.read", "sales.deal.write"]


def test_a_token_acts_for_its_user(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person()
    plain, row = create_token(session, ana, "ERP", ["sales"], now, known=KNOWN)
    found = find_token(session, plain, now)
    assert found == (row, ana)
    assert found is not None
    assert found.scopes == ("sales",)


def test_a_token_is_long_and_begins_alike(session: RecordSession, person: Person, now: dt.datetime) -> None:
    plain, row = create_token(session, person(), "ERP", [], now)
    assert plain.startswith("ct_")
    assert len(plain) == 43
    assert row.prefix == plain[:12]


def test_the_database_does_not_hold_the_token(session: RecordSession, person: Person, now: dt.datetime) -> None:
    plain, _row = create_token(session, person(), "ERP", [], now)
    stored = session.execute(select(ApiToken.__table__)).one()
    assert plain not in [str(value) for value in stored]


def test_finding_a_token_is_one_query(session: RecordSession, person: Person, now: dt.datetime) -> None:
    plain, _row = create_token(session, person(), "ERP", [], now)
    session.expire_all()
    seen: list[str] = []
    event.listen(session.connection(), "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    found = find_token(session, plain, now)
    assert found is not None
    assert found.user.name == "Ana Pop"
    assert len(seen) == 1


@pytest.mark.parametrize("plain", ["", "ct_", "ct_unknown", "Basic abc", "ct_\ud800", "ct_" + "x" * 100_000])
def test_an_unknown_token_leads_nowhere(session: RecordSession, now: dt.datetime, plain: str) -> None:
    assert find_token(session, plain, now) is None


def test_a_token_expires(session: RecordSession, person: Person, now: dt.datetime) -> None:
    plain, _row = create_token(session, person(), "ERP", [], now, now + dt.timedelta(days=1))
    assert find_token(session, plain, now + dt.timedelta(hours=23))
    assert find_token(session, plain, now + dt.timedelta(days=1)) is None


def test_a_token_is_not_born_expired(session: RecordSession, person: Person, now: dt.datetime) -> None:
    with pytest.raises(RuleViolation, match="later day"):
        create_token(session, person(), "ERP", [], now, now)


def test_a_revoked_token_is_refused_at_once(session: RecordSession, person: Person, now: dt.datetime) -> None:
    plain, row = create_token(session, person(), "ERP", [], now)
    revoke_token(session, row.id)
    assert find_token(session, plain, now) is None


def test_a_user_revokes_only_their_own(session: RecordSession, person: Person, now: dt.datetime) -> None:
    _plain, row = create_token(session, person(), "ERP", [], now)
    with pytest.raises(NotFound):
        revoke_token(session, row.id, user=person("Ion Rus"))
    with pytest.raises(NotFound):
        revoke_token(session, 999)


def test_a_disabled_users_tokens_stop(session: RecordSession, person: Person, now: dt.datetime) -> None:
    person("Boss")
    ana = person()
    plain, _row = create_token(session, ana, "ERP", [], now)
    disable_user(session, ana, now)
    assert find_token(session, plain, now) is None


def test_a_new_password_ends_the_tokens(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana, ion = person(), person("Ion Rus")
    plain, other = create_token(session, ana, "ERP", [], now)[0], create_token(session, ion, "Shop", [], now)[0]
    assert set_password(session, ana, "another phrase", now) == 1
    assert find_token(session, plain, now) is None
    assert find_token(session, other, now)


def test_tokens_may_outlive_a_password_where_that_is_wanted(
    session: RecordSession, person: Person, now: dt.datetime
) -> None:
    ana = person()
    plain, _row = create_token(session, ana, "ERP", [], now)
    assert set_password(session, ana, "another phrase", now, revoke=False) == 0
    assert find_token(session, plain, now)


def test_use_is_written_every_five_minutes_at_most(session: RecordSession, person: Person, now: dt.datetime) -> None:
    _plain, row = create_token(session, person(), "ERP", [], now)
    for minutes in (0, 4, 6):
        touch_token(session, row, now + dt.timedelta(minutes=minutes))
        session.refresh(row)
    assert row.last_used_at == now + dt.timedelta(minutes=6)


@pytest.mark.parametrize("scope", ["sales", "sales.deal", "sales.deal.read", "base"])
def test_a_scope_is_a_permission_or_its_beginning(scope: str) -> None:
    assert check_scopes([scope, f" {scope} ", ""], KNOWN) == (scope,)


@pytest.mark.parametrize("scope", ["sale", "sales.", "sales.deal.readx", "stock", "*", "sales deal"])
def test_any_other_scope_is_refused(scope: str) -> None:
    with pytest.raises(RuleViolation, match="There is no permission") as refusal:
        check_scopes([scope], KNOWN)
    assert refusal.value.field == "scopes"


def test_tokens_are_listed_with_their_users(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana, ion = person(), person("Ion Rus")
    create_token(session, ana, "ERP", [], now)
    create_token(session, ion, "Shop", [], now)
    assert [(row.name, user.name) for row, user in list_tokens(session)] == [("Shop", "Ion Rus"), ("ERP", "Ana Pop")]
    assert [row.name for row, _user in list_tokens(session, ana)] == ["ERP"]
