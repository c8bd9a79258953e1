"""One transaction with two sessions: what is committed, what is undone, who sees what."""

import sqlite3
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from comptoir.access.guard import Everything, Own, Policy, TableRule
from comptoir.access.guard.session import user_engine_for
from comptoir.db.engine import create_engine
from comptoir.db.unit_of_work import UnitOfWork
from comptoir.errors import ConfigurationError, NotAllowed


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    owner_id: Mapped[int | None]


OWN = Policy(Base.metadata, {"thing": TableRule(Own(), Own(), Own(), insert=True)})
ALL = Policy(Base.metadata, {"thing": TableRule(Everything(), Everything(), Everything(), insert=True)})


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(database_url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def names(engine: sa.Engine) -> list[str]:
    with UnitOfWork(engine) as uow:
        return list(uow.system.scalars(sa.select(Thing.name).order_by(Thing.id)))


def test_both_sessions_are_committed_together(engine: sa.Engine) -> None:
    with UnitOfWork(engine, OWN, 1, write=True) as uow:
        uow.user.add(Thing(name="mine", owner_id=1))
        uow.flush()
        uow.system.add(Thing(name="foreign", owner_id=2))
    assert names(engine) == ["mine", "foreign"]


def test_an_error_undoes_both(engine: sa.Engine) -> None:
    with pytest.raises(ZeroDivisionError), UnitOfWork(engine, OWN, 1, write=True) as uow:  # noqa: PT012 - the block is one unit of work
        uow.user.add(Thing(name="mine", owner_id=1))
        uow.system.add(Thing(name="foreign", owner_id=2))
        uow.flush()
        raise ZeroDivisionError
    assert names(engine) == []


def test_each_session_sees_what_the_other_flushed(engine: sa.Engine) -> None:
    with UnitOfWork(engine, OWN, 1, write=True) as uow:
        uow.system.add_all([Thing(id=1, name="mine", owner_id=1), Thing(id=2, name="foreign", owner_id=2)])
        uow.flush()
        assert uow.user.scalars(sa.select(Thing.id)).all() == [1]
        uow.user.get_one(Thing, 1).name = "renamed"
        uow.user.flush()
        assert uow.system.scalar(sa.select(Thing.name).where(Thing.id == 1)) == "renamed"
        assert uow.user.get_one(Thing, 1) is not uow.system.get_one(Thing, 1)


def test_no_session_commits_by_itself(engine: sa.Engine) -> None:
    with pytest.raises(ZeroDivisionError), UnitOfWork(engine, OWN, 1, write=True) as uow:  # noqa: PT012 - the block is one unit of work
        uow.user.add(Thing(name="mine", owner_id=1))
        uow.user.commit()
        uow.system.commit()
        raise ZeroDivisionError
    assert names(engine) == []


def test_a_savepoint_undoes_a_part_in_both_sessions(engine: sa.Engine) -> None:
    with UnitOfWork(engine, OWN, 1, write=True) as uow:
        uow.user.add(Thing(name="kept", owner_id=1))
        with pytest.raises(NotAllowed), uow.savepoint():  # noqa: PT012 - the block is one unit of work
            uow.system.add(Thing(name="undone", owner_id=1))
            uow.system.flush()
            uow.user.add(Thing(name="refused", owner_id=2))
            uow.user.flush()
        uow.user.add(Thing(name="kept too", owner_id=1))
    assert names(engine) == ["kept", "kept too"]


def test_savepoints_of_both_sessions_do_not_meet(engine: sa.Engine) -> None:
    with UnitOfWork(engine, OWN, 1, write=True) as uow, uow.system.begin_nested():
        uow.system.add(Thing(name="system", owner_id=1))
        inner = uow.user.begin_nested()
        uow.user.add(Thing(name="user", owner_id=1))
        uow.user.flush()
        inner.rollback()
    assert names(engine) == ["system"]


def test_two_users_in_one_thread_and_transaction_do_not_mix(engine: sa.Engine) -> None:
    with UnitOfWork(engine, OWN, 1, write=True) as uow:
        uow.system.add_all([Thing(id=n, name=str(n), owner_id=n) for n in (1, 2)])
        uow.flush()
        other = OWN.session(uow.connection, 2)
        for _round in range(2):
            assert uow.user.scalars(sa.select(Thing.id)).all() == [1]
            assert other.scalars(sa.select(Thing.id)).all() == [2]
        other.close()
        assert uow.user.scalars(sa.select(Thing.id)).all() == [1]


def test_users_in_many_threads_do_not_mix(engine: sa.Engine) -> None:
    with UnitOfWork(engine, write=True) as uow:
        uow.system.add_all([Thing(name=str(n), owner_id=n) for n in range(1, 5)])
    wrong: list[object] = []

    def look(user_id: int) -> None:
        for _round in range(20):
            with UnitOfWork(engine, OWN, user_id) as uow:
                found = uow.user.scalars(sa.select(Thing.owner_id)).all()
                if found != [user_id]:
                    wrong.append(found)

    threads = [threading.Thread(target=look, args=(user_id,)) for user_id in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_nobody_sees_nothing(engine: sa.Engine) -> None:
    with UnitOfWork(engine, OWN, None, write=True) as uow:
        uow.system.add(Thing(name="nobody's", owner_id=None))
        uow.flush()
        assert uow.user.scalars(sa.select(Thing)).all() == []


def test_equal_policies_share_their_compiled_sql(engine: sa.Engine) -> None:
    again = Policy(Base.metadata, {"thing": TableRule(Own(), Own(), Own(), insert=True)})
    with UnitOfWork(engine):
        assert user_engine_for(engine, again) is user_engine_for(engine, OWN)
        assert user_engine_for(engine, ALL) is not user_engine_for(engine, OWN)


def test_a_table_that_hides_nothing_is_rendered_plainly(engine: sa.Engine) -> None:
    with UnitOfWork(engine, ALL, 1) as uow:
        assert str(sa.select(Thing.id).compile(dialect=uow.user.connection().dialect)).split() == [
            *("SELECT", "thing.id", "FROM", "thing")
        ]


def test_calls_after_the_commit_see_the_work_done(engine: sa.Engine) -> None:
    seen: list[list[str]] = []
    with UnitOfWork(engine, write=True) as uow:
        uow.on_commit(lambda: seen.append(names(engine)))
        uow.system.add(Thing(name="done"))
    assert seen == [["done"]]


def test_calls_after_the_commit_are_left_out_when_it_fails(engine: sa.Engine) -> None:
    seen: list[str] = []
    with pytest.raises(ZeroDivisionError), UnitOfWork(engine, write=True) as uow:  # noqa: PT012 - the block is one unit of work
        uow.on_commit(lambda: seen.append("called"))
        raise ZeroDivisionError
    assert seen == []


def test_a_failing_call_after_the_commit_is_logged(engine: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    with UnitOfWork(engine, write=True) as uow:
        uow.on_commit(lambda: 1 / 0)
    assert "after the commit" in caplog.text


def test_the_connection_goes_back_to_the_pool(engine: sa.Engine) -> None:
    for user_id in range(40):
        with UnitOfWork(engine, OWN, user_id) as uow:
            uow.user.scalars(sa.select(Thing)).all()
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_writer_on_sqlite_begins_as_a_writer(sqlite_url: str) -> None:
    engine = create_engine(sqlite_url)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)
    with UnitOfWork(engine, write=True), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    with UnitOfWork(engine):
        other.execute("BEGIN IMMEDIATE")
    other.close()
    engine.dispose()


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "nonsense", "postgresql+asyncpg://x/y"]
)
def test_a_database_url_that_cannot_be_used_says_so(url: str) -> None:
    with pytest.raises(ConfigurationError, match="database_url"):
        create_engine(url)
