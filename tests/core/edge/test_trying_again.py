"""What is tried again, how often, and what is not."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from comptoir.access.permissions import system_actor
from comptoir.context import Context
from comptoir.deployment import Deployment
from comptoir.edge import ATTEMPTS, perform
from comptoir.errors import Overtaken, RuleViolation

ANA = system_actor("Ana")


def test_work_that_was_overtaken_is_begun_anew_until_it_is_given_up(deployment: Deployment) -> None:
    tries: list[int] = []

    def lose(_ctx: Context) -> None:
        tries.append(1)
        raise Overtaken("Somebody was faster.")

    with pytest.raises(Overtaken):
        perform(deployment, ANA, lose)
    assert len(tries) == ATTEMPTS


def test_a_version_that_moved_under_a_flush_counts_as_overtaken(deployment: Deployment) -> None:
    tries: list[int] = []

    def lose_once(_ctx: Context) -> str:
        tries.append(1)
        if len(tries) == 1:
            raise StaleDataError
        return "done"

    assert (perform(deployment, ANA, lose_once), len(tries)) == ("done", 2)


@pytest.mark.parametrize("error", [RuleViolation("x", "No."), IntegrityError("INSERT", {}, Exception("unique"))])
def test_what_another_try_cannot_change_is_not_tried_again(deployment: Deployment, error: Exception) -> None:
    tries: list[int] = []

    def fail(_ctx: Context) -> None:
        tries.append(1)
        raise error

    with pytest.raises(type(error)):
        perform(deployment, ANA, fail)
    assert len(tries) == 1


def test_a_try_that_failed_leaves_nothing_behind(deployment: Deployment) -> None:
    tries: list[int] = []

    def write(ctx: Context) -> int:
        tries.append(1)
        ctx.bookkeeping("test").execute(text("UPDATE core_generation SET number = number + 10"))
        if len(tries) == 1:
            raise Overtaken("Somebody was faster.")
        return int(ctx.bookkeeping("test").execute(text("SELECT number FROM core_generation")).scalar_one())

    before = deployment.current_generation()
    assert perform(deployment, ANA, write) == before + 10


@pytest.mark.postgresql
@pytest.mark.parametrize("engine_name", ["postgresql"])
def test_a_real_serialisation_failure_is_tried_again(deployment: Deployment) -> None:
    seen: list[int] = []

    def raise_number(ctx: Context) -> None:
        session = ctx.bookkeeping("test")
        session.connection().exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        number = int(session.execute(text("SELECT number FROM core_generation")).scalar_one())
        seen.append(number)
        if len(seen) == 1:
            perform(
                deployment,
                ANA,
                lambda other: other.bookkeeping("test").execute(text("UPDATE core_generation SET number = 70")),
            )
        session.execute(text("UPDATE core_generation SET number = :number"), {"number": number + 1})

    perform(deployment, ANA, raise_number)
    assert (seen[1], deployment.current_generation()) == (70, 71)
