"""Sessions live on the server: they end when told to, at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, event, select

from comptoir.access.models import SignInSession, User
from comptoir.access.sessions import (
    Refusal,
    SignedIn,
    confirm,
    end_all_sessions,
    end_session,
    end_session_of,
    find_session,
    is_confirmed,
    last_seen,
    list_sessions,
    open_session,
    purge_sessions,
    rotate_session,
    sign_in,
    touch_session,
)
from comptoir.access.users import disable_user, enable_user, set_password
from comptoir.db.gate import RecordSession
from comptoir.errors import NotFound

Person = Callable[..., User]
HOUR = dt.timedelta(hours=1)


def test_the_token_leads_to_its_user(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person()
    token, row = open_session(session, ana, now, address="203.0.113.9", agent="Firefox")
    found = find_session(session, token, now)
    assert found is not None
    assert (found.row, found.user) == (row, ana)


def test_finding_a_session_is_one_query(session: RecordSession, person: Person, now: dt.datetime) -> None:
    token, _row = open_session(session, person(), now)
    session.expire_all()
    seen: list[str] = []
    connection = session.connection()
    event.listen(connection, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    found = find_session(session, token, now)
    assert found is not None
    assert found.user.name == "Ana Pop"
    assert found.row.csrf_token
    assert len(seen) == 1


def test_the_database_does_not_hold_the_token(session: RecordSession, person: Person, now: dt.datetime) -> None:
    token, row = open_session(session, person(), now)
    stored = session.execute(select(SignInSession.__table__)).one()
    assert token not in [str(value) for value in stored]
    assert row.token_hash != token


@pytest.mark.parametrize("token", ["", "unknown", "\ud800", "x" * 100_000])
def test_a_token_that_is_not_known_leads_nowhere(session: RecordSession, now: dt.datetime, token: str) -> None:
    assert find_session(session, token, now) is None


def test_a_session_ends_after_twelve_idle_hours(session: RecordSession, person: Person, now: dt.datetime) -> None:
    token, _row = open_session(session, person(), now)
    assert find_session(session, token, now + 11 * HOUR)
    assert find_session(session, token, now + 12 * HOUR) is None


def test_use_puts_the_end_off(session: RecordSession, person: Person, now: dt.datetime) -> None:
    token, row = open_session(session, person(), now)
    touch_session(session, row, now + 11 * HOUR)
    assert find_session(session, token, now + 22 * HOUR)


def test_no_session_outlives_thirty_days(session: RecordSession, person: Person, now: dt.datetime) -> None:
    token, row = open_session(session, person(), now)
    for hours in range(0, 31 * 24, 10):
        touch_session(session, row, now + hours * HOUR)
    assert find_session(session, token, now + dt.timedelta(days=30)) is None


def test_a_remembered_session_lasts_thirty_days_unused(
    session: RecordSession, person: Person, now: dt.datetime
) -> None:
    token, _row = open_session(session, person(), now, remember=True)
    assert find_session(session, token, now + dt.timedelta(days=29))
    assert find_session(session, token, now + dt.timedelta(days=30)) is None


def test_use_is_written_every_five_minutes_at_most(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person()
    _token, row = open_session(session, ana, now)
    touch_session(session, row, now + dt.timedelta(minutes=4))
    assert row.last_seen_at == now
    touch_session(session, row, now + dt.timedelta(minutes=5))
    assert row.last_seen_at == now + dt.timedelta(minutes=5)
    assert last_seen(session) == {ana.id: row.last_seen_at}


def test_whoever_has_just_signed_in_was_seen(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana, _ion = person(), person("Ion Rus")
    version = ana.version
    open_session(session, ana, now)
    assert last_seen(session) == {ana.id: now}
    session.refresh(ana)
    assert (ana.version, ana.updated_at) == (version, now)


def test_one_session_ends_alone_and_only_by_its_owner(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana, ion = person(), person("Ion Rus")
    here, _row = open_session(session, ana, now)
    there, row = open_session(session, ana, now)
    with pytest.raises(NotFound):
        end_session_of(session, ion, row.token_hash)
    end_session_of(session, ana, row.token_hash)
    assert find_session(session, there, now) is None
    assert find_session(session, here, now)


def test_being_seen_does_not_make_an_edit_of_the_user_stale(
    session: RecordSession, person: Person, now: dt.datetime
) -> None:
    ana = person()
    _token, row = open_session(session, ana, now)
    touch_session(session, row, now + HOUR)
    ana.name = "Ana Popescu"
    session.write([ana], "test")
    assert ana.version == 2


def test_signing_out_ends_the_session(session: RecordSession, person: Person, now: dt.datetime) -> None:
    token, _row = open_session(session, person(), now)
    end_session(session, token)
    assert find_session(session, token, now) is None


def test_signing_out_everywhere_keeps_this_browser(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana, ion = person(), person("Ion Rus")
    here, row = open_session(session, ana, now)
    there, _row = open_session(session, ana, now)
    other, _row = open_session(session, ion, now)
    assert end_all_sessions(session, ana, except_=row) == 1
    assert find_session(session, here, now)
    assert find_session(session, there, now) is None
    assert find_session(session, other, now)


def test_disabling_a_user_ends_their_sessions_for_good(
    session: RecordSession, person: Person, now: dt.datetime
) -> None:
    person("Boss")
    ana = person()
    token, _row = open_session(session, ana, now)
    disable_user(session, ana, now)
    assert find_session(session, token, now) is None
    enable_user(session, ana, now)
    assert find_session(session, token, now) is None


def test_a_new_password_ends_every_session_but_this(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person()
    here, row = open_session(session, ana, now)
    there, _row = open_session(session, ana, now)
    set_password(session, ana, "another long phrase", now, keep=row)
    session.flush()
    assert find_session(session, here, now)
    assert find_session(session, there, now) is None


def test_rotation_gives_a_new_token_and_ends_the_old(session: RecordSession, person: Person, now: dt.datetime) -> None:
    old, row = open_session(session, person(), now, agent="Firefox")
    csrf = row.csrf_token
    new, successor = rotate_session(session, row, now + HOUR)
    assert find_session(session, old, now + HOUR) is None
    assert find_session(session, new, now + HOUR)
    assert successor.agent == "Firefox"
    assert successor.csrf_token != csrf
    assert successor.created_at == now


def test_the_password_typed_again_counts_for_ten_minutes(
    session: RecordSession, person: Person, now: dt.datetime
) -> None:
    ana = person()
    _token, row = open_session(session, ana, now)
    later = now + HOUR
    assert not is_confirmed(row, later)
    assert confirm(session, SignedIn(row, ana), "correct horse", later) is None
    assert is_confirmed(row, later + dt.timedelta(minutes=9))
    assert not is_confirmed(row, later + dt.timedelta(minutes=10))


def test_guessing_at_the_confirmation_locks_too(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person()
    _token, row = open_session(session, ana, now)
    for _attempt in range(5):
        refusal = confirm(session, SignedIn(row, ana), "a wrong guess", now)
        assert refusal == Refusal("core.sign_in_refused", "This is not your password.")
    locked = confirm(session, SignedIn(row, ana), "correct horse", now)
    assert locked is not None
    assert locked.code == "core.sign_in_locked"


def test_a_stranger_does_not_lock_the_confirmation(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person()
    _token, row = open_session(session, ana, now, address="203.0.113.9")
    for _attempt in range(50):
        sign_in(session, "ana.pop@example.com", "a guess", now, address="203.0.113.9")
    assert confirm(session, SignedIn(row, ana), "correct horse", now) is None


def test_a_user_sees_where_they_are_signed_in(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person()
    open_session(session, ana, now, agent="Firefox")
    open_session(session, ana, now + HOUR, agent="Safari")
    open_session(session, person("Ion Rus"), now)
    assert [row.agent for row in list_sessions(session, ana, now + 2 * HOUR)] == ["Safari", "Firefox"]
    assert [row.agent for row in list_sessions(session, ana, now + 12 * HOUR)] == ["Safari"]


def test_expired_sessions_are_swept_away(session: RecordSession, person: Person, now: dt.datetime) -> None:
    open_session(session, person(), now)
    assert purge_sessions(session, now + 11 * HOUR) == 0
    assert purge_sessions(session, now + 12 * HOUR) == 1


def test_an_overlong_browser_name_is_cut(
    people_engine: Engine, session: RecordSession, person: Person, now: dt.datetime
) -> None:
    _token, row = open_session(session, person(), now, agent="x" * 9999 + "\x00", address="y" * 200)
    assert len(row.agent) == 255
    assert len(row.address) == 64
