"""Who gets in, who does not, and how long a guesser waits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, select

from comptoir.access import throttle
from comptoir.access.models import SignInAttempt, User
from comptoir.access.passwords import CHEAP, check_password, hash_password, verify_password
from comptoir.access.sessions import Refusal, begin_sign_in, compare, finish_sign_in, remember_device, sign_in
from comptoir.access.users import disable_user, set_password
from comptoir.db.gate import RecordSession
from comptoir.db.unit_of_work import UnitOfWork
from comptoir.errors import RuleViolation

Person = Callable[..., User]
SECOND = dt.timedelta(seconds=1)


def fail(session: RecordSession, times: int, now: dt.datetime, who: str = "ana.pop@example.com") -> None:
    for _attempt in range(times):
        assert isinstance(sign_in(session, who, "a wrong guess", now), Refusal)


def refused(outcome: User | Refusal) -> Refusal:
    assert isinstance(outcome, Refusal)
    return outcome


def test_the_right_password_lets_a_person_in(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person()
    assert sign_in(session, "ana.pop@example.com", "correct horse", now) is ana


def test_the_address_may_be_typed_in_any_case(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person(email="Ștefan@Example.com")
    assert sign_in(session, " ștefan@EXAMPLE.com ", "correct horse", now) is ana


def test_a_refusal_does_not_tell_what_was_wrong(session: RecordSession, person: Person, now: dt.datetime) -> None:
    person()
    disable_user(session, person("Ion Rus"), now)
    person("Eva Wit", password=None)
    refusals = {
        refused(sign_in(session, "ana.pop@example.com", "a wrong guess", now)),
        refused(sign_in(session, "nobody@example.com", "correct horse", now)),
        refused(sign_in(session, "ion.rus@example.com", "correct horse", now)),
        refused(sign_in(session, "eva.wit@example.com", "correct horse", now)),
        refused(sign_in(session, "", "", now)),
    }
    assert [refusal.code for refusal in refusals] == ["core.sign_in_refused"]


def test_unknown_accounts_cost_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def verify(_hasher: object, _secret: bytes, stored: str) -> bool:
        seen.append(stored)
        return False

    monkeypatch.setattr("pwdlib.hashers.argon2.Argon2Hasher.verify", verify)
    verify_password("correct horse", None)
    verify_password("x" * 5000, hash_password("correct horse"))
    verify_password("half a \ud800 pair", hash_password("correct horse"))
    assert len(seen) == 3


def test_five_refusals_lock_the_account_for_half_a_minute(
    session: RecordSession, person: Person, now: dt.datetime
) -> None:
    person()
    fail(session, 5, now)
    refusal = refused(sign_in(session, "ana.pop@example.com", "correct horse", now + 10 * SECOND))
    assert refusal.code == "core.sign_in_locked"
    assert refusal.wait == 20 * SECOND
    assert str(refusal.message) == "Too many attempts. Try again in 20 seconds."


def test_an_account_that_does_not_exist_locks_alike(session: RecordSession, now: dt.datetime) -> None:
    fail(session, 5, now, who="nobody@example.com")
    assert refused(sign_in(session, "Nobody@example.com", "a guess", now)).code == "core.sign_in_locked"


def test_the_right_password_works_after_the_lock(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person()
    fail(session, 5, now)
    assert sign_in(session, "ana.pop@example.com", "correct horse", now + 31 * SECOND) is ana


def test_each_further_refusal_doubles_the_lock(session: RecordSession, now: dt.datetime) -> None:
    fail(session, 4, now, who="nobody@example.com")
    waits = []
    for _failure in range(10):
        fail(session, 1, now, who="nobody@example.com")
        wait = refused(sign_in(session, "nobody@example.com", "a guess", now)).wait
        assert wait is not None
        waits.append(int(wait.total_seconds()))
        now += wait
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_attempts_during_the_lock_do_not_prolong_it(session: RecordSession, person: Person, now: dt.datetime) -> None:
    person()
    fail(session, 50, now)
    assert refused(sign_in(session, "ana.pop@example.com", "a guess", now)).wait == 30 * SECOND


def test_success_forgets_the_refusals(session: RecordSession, person: Person, now: dt.datetime) -> None:
    person()
    fail(session, 4, now)
    sign_in(session, "ana.pop@example.com", "correct horse", now)
    fail(session, 4, now)
    assert isinstance(sign_in(session, "ana.pop@example.com", "correct horse", now), User)


def test_refusals_are_forgotten_after_a_day(session: RecordSession, person: Person, now: dt.datetime) -> None:
    person()
    fail(session, 4, now)
    fail(session, 4, now + dt.timedelta(days=1))
    assert isinstance(sign_in(session, "ana.pop@example.com", "correct horse", now + dt.timedelta(days=1)), User)


def test_one_address_cannot_try_many_accounts(session: RecordSession, person: Person, now: dt.datetime) -> None:
    person()
    for number in range(30):
        sign_in(session, f"user{number}@example.com", "a guess", now, address="203.0.113.9")
    locked = refused(sign_in(session, "ana.pop@example.com", "correct horse", now, address="203.0.113.9"))
    assert locked.code == "core.sign_in_locked"
    assert isinstance(sign_in(session, "ana.pop@example.com", "correct horse", now, address="198.51.100.4"), User)


def test_a_stranger_does_not_lock_the_owner_out(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person()
    for _attempt in range(60):
        sign_in(session, "ana.pop@example.com", "a guess", now, address="203.0.113.9")
    assert refused(sign_in(session, "ana.pop@example.com", "correct horse", now, address="203.0.113.9")).wait
    assert sign_in(session, "ana.pop@example.com", "correct horse", now, address="198.51.100.4") is ana


def test_many_strangers_do_not_lock_a_known_device_out(
    session: RecordSession, person: Person, now: dt.datetime
) -> None:
    ana = person()
    device = remember_device(session, ana, now)
    for number in range(120):
        sign_in(session, "ana.pop@example.com", "a guess", now, address=f"203.0.113.{number}")
    stranger = sign_in(session, "ana.pop@example.com", "correct horse", now, address="198.51.100.4")
    assert refused(stranger).wait == dt.timedelta(seconds=30)
    assert sign_in(session, "ana.pop@example.com", "correct horse", now, address="203.0.113.1", device=device) is ana


def test_a_known_device_has_a_budget_and_no_more(session: RecordSession, person: Person, now: dt.datetime) -> None:
    person()
    ion = person("Ion Rus")
    device = remember_device(session, ion, now)
    for who, code in (("ion.rus@example.com", "core.sign_in_locked"), ("ana.pop@example.com", "core.sign_in_refused")):
        for _attempt in range(5):
            sign_in(session, "ion.rus@example.com", "a guess", now, device=device)
        assert refused(sign_in(session, who, "a guess", now, device=device)).code == code
    assert sign_in(session, "ion.rus@example.com", "correct horse", now) is ion  # elsewhere nobody guessed


def test_a_device_is_known_to_those_who_signed_in_there(
    session: RecordSession, person: Person, now: dt.datetime
) -> None:
    ana, ion = person(), person("Ion Rus")
    shared = remember_device(session, ana, now)
    assert remember_device(session, ion, now, device=shared) == shared
    planted = "planted-by-somebody-else"
    assert remember_device(session, ana, now, device=planted) != planted
    for _attempt in range(6):
        sign_in(session, "ana.pop@example.com", "a guess", now)
    assert sign_in(session, "ana.pop@example.com", "correct horse", now, device=shared) is ana


def test_a_password_set_by_somebody_else_makes_every_device_a_stranger(
    session: RecordSession, person: Person, now: dt.datetime
) -> None:
    ana = person()
    device = remember_device(session, ana, now)
    set_password(session, ana, "another phrase", now)
    for _attempt in range(5):
        sign_in(session, "ana.pop@example.com", "a guess", now)
    assert refused(sign_in(session, "ana.pop@example.com", "another phrase", now, device=device)).wait


def test_an_office_is_not_locked_out_for_long(session: RecordSession, now: dt.datetime) -> None:
    for number in range(45):
        wait = refused(sign_in(session, f"user{number}@example.com", "a guess", now, address="203.0.113.9")).wait
        now += wait or dt.timedelta()
        assert wait is None or wait <= dt.timedelta(minutes=5)


def test_success_gives_the_address_back_only_its_own_attempt(
    session: RecordSession, person: Person, now: dt.datetime
) -> None:
    person()
    sign_in(session, "nobody@example.com", "a guess", now, address="203.0.113.9")
    sign_in(session, "ana.pop@example.com", "correct horse", now, address="203.0.113.9")
    subject = throttle.address_subject("203.0.113.9")
    assert session.scalar(select(SignInAttempt.failures).where(SignInAttempt.subject == subject)) == 1


def test_old_counters_are_swept_away(session: RecordSession, now: dt.datetime) -> None:
    fail(session, 2, now)
    assert throttle.purge(session, now + dt.timedelta(hours=23)) == 0
    assert throttle.purge(session, now + dt.timedelta(hours=25)) == 2


def test_guesses_at_the_same_moment_share_one_count(people_engine: Engine, now: dt.datetime) -> None:
    def guess(_number: int) -> str:
        with UnitOfWork(people_engine, write=True) as uow:
            return refused(sign_in(uow.system, "crowd@example.com", "a guess", now)).code

    with ThreadPoolExecutor(12) as pool:
        codes = list(pool.map(guess, range(24)))
    assert codes.count("core.sign_in_refused") == 5
    assert codes.count("core.sign_in_locked") == 19


def test_the_comparison_can_lie_between_two_transactions(
    people_engine: Engine, session: RecordSession, person: Person, now: dt.datetime
) -> None:
    ana = person()
    attempt = begin_sign_in(session, "ana.pop@example.com", now)
    assert not isinstance(attempt, Refusal)
    right, renewed = compare(attempt, "correct horse")
    assert finish_sign_in(session, attempt, right=right, renewed=renewed) is ana


def test_a_password_changed_meanwhile_refuses(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person()
    attempt = begin_sign_in(session, "ana.pop@example.com", now)
    assert not isinstance(attempt, Refusal)
    ana.password_hash = hash_password("another phrase")
    assert isinstance(finish_sign_in(session, attempt, right=True), Refusal)


def test_a_weak_hash_is_renewed_at_sign_in(
    session: RecordSession, person: Person, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = person()
    before, version = ana.password_hash, ana.version
    monkeypatch.delenv(CHEAP)
    assert sign_in(session, "ana.pop@example.com", "correct horse", now) is ana
    assert ana.password_hash != before
    assert "m=65536" in (ana.password_hash or "")
    assert ana.version == version


def test_a_password_is_kept_as_argon2id() -> None:
    assert hash_password("correct horse").startswith("$argon2id$")


def test_a_letter_typed_in_another_form_is_the_same_password() -> None:
    assert verify_password("cafe\u0301 la colț", hash_password("caf\u00e9 la colț"))[0]


@pytest.mark.parametrize(
    "secret",
    [
        "short", "x" * 1001, "ana.pop@example.com", "ANA POPESCU", "qwertyuiop", "Password123", "1212121212",
        "half a \ud800 pair",
    ],
)  # fmt: skip
def test_unfit_passwords_are_refused_at_their_field(secret: str) -> None:
    with pytest.raises(RuleViolation) as refusal:
        check_password(secret, name="Ana Popescu", email="ana.pop@example.com")
    assert refusal.value.field == "password"


@pytest.mark.parametrize("secret", ["correct horse", "comptoir-demo", "пароль из слов", "x1" + "y" * 900 + "!z"])
def test_a_few_words_are_a_password(secret: str) -> None:
    check_password(secret, name="Ana Popescu", email="ana.pop@example.com")
