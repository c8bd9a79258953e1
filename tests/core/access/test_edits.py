"""Users edited as records, on a screen or through the API, obey the same rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from comptoir.access.models import User
from comptoir.access.sessions import find_session, open_session
from comptoir.access.throttle import ACCOUNT, reserve
from comptoir.context import Context
from comptoir.errors import RuleViolation
from comptoir.records.write import archive, delete, save
from comptoir.registry.people import forget_sign_ins
from comptoir.testing.platform import Clock

MakeUser = Callable[..., User]


def test_whoever_is_switched_off_is_signed_out(ctx: Context, make_user: MakeUser) -> None:
    ana = make_user("Ana", email="ana@example.com")
    token, _row = open_session(ctx.bookkeeping("test"), ana, ctx.now())
    ana.active = False
    save(ctx, [ana])
    ana.active = True
    save(ctx, [ana])
    assert find_session(ctx.bookkeeping("test"), token, ctx.now()) is None


@pytest.mark.parametrize("leave", [archive, delete])
def test_the_last_administrator_stays(
    ctx: Context, make_user: MakeUser, leave: Callable[[Context, list[User]], None]
) -> None:
    boss = make_user("Boss", email="boss@example.com", administrator=True)
    with pytest.raises(RuleViolation, match="Nobody could administer"):
        leave(ctx, [boss])


def test_one_of_two_administrators_may_leave(ctx: Context, make_user: MakeUser) -> None:
    boss = make_user("Boss", email="boss@example.com", administrator=True)
    make_user("Deputy", email="deputy@example.com", administrator=True)
    delete(ctx, [boss])


def test_switching_on_takes_a_seat(ctx: Context, make_user: MakeUser) -> None:
    ana = make_user("Ana", email="ana@example.com")
    ana.active = False
    save(ctx, [ana])
    make_user("Ion", email="ion@example.com")
    ctx.settings = replace(ctx.settings, seats=1)
    ana.active = True
    with pytest.raises(RuleViolation, match="All seats are taken"):
        save(ctx, [ana])


def test_what_is_over_is_forgotten_at_night(ctx: Context, make_user: MakeUser, clock: Clock) -> None:
    ana = make_user("Ana", email="ana@example.com")
    token, _row = open_session(ctx.bookkeeping("test"), ana, ctx.now())
    reserve(ctx.bookkeeping("test"), "account:x", ACCOUNT, ctx.now())
    before = clock()
    clock.advance(days=2)
    forget_sign_ins(ctx)
    assert find_session(ctx.bookkeeping("test"), token, before) is None
