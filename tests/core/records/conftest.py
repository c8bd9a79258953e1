"""A small plugin of deals and people on both engines, filled once for each module of tests."""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Mapped

from comptoir.access.guard import Policy
from comptoir.access.models import Team, TeamClosure, TeamMember, User
from comptoir.access.permissions import Actor, Grants, system_actor
from comptoir.context import Context
from comptoir.contributions import Manifest
from comptoir.db.base import Base
from comptoir.db.engine import create_engine
from comptoir.db.fields import (
    Choice,
    boolean,
    choice,
    date,
    email,
    integer,
    lines,
    long_text,
    moment,
    money,
    phone,
    reference,
    stage,
    text,
)
from comptoir.db.gate import opened
from comptoir.db.record import Extension, Line, Record, RecordType, belongs_to, extends
from comptoir.db.search import SearchEntry
from comptoir.db.unit_of_work import UnitOfWork
from comptoir.db.workflow import Stage, Workflow
from comptoir.records.search import departures, mend
from comptoir.records.search_key import search_key
from comptoir.records.views import SavedView
from comptoir.registry.discover import Available
from comptoir.registry.plugin import Plugin
from comptoir.registry.policies import policy_for
from comptoir.registry.registry import Registry
from comptoir.settings import Settings
from comptoir.testing.postgres import PostgresUnavailable, fresh_database, server_url

NOW = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
STAGES = ("new", "talks", "won", "lost")


class QueryPhone(Line):
    __tablename__ = "qdemo_phone"
    __parent__ = "person_id"

    person_id: Mapped[int] = belongs_to("qdemo_person")
    number: Mapped[str] = phone("Number", search=True)
    label: Mapped[str | None] = text("Label")
    secret: Mapped[str | None] = text("Secret", read="qdemo.phone.secret")


class QueryPerson(Record):
    __tablename__ = "qdemo_person"
    __record__ = RecordType("Person", "People", path="people")

    name: Mapped[str] = text("Name", required=True, title=True, search=True, index=True)
    email: Mapped[str | None] = email("E-mail", search=True)
    city: Mapped[str | None] = text("City")
    notes: Mapped[str | None] = long_text("Notes")
    parent_id: Mapped[int | None] = reference("Company", "qdemo_person", ondelete="SET NULL")
    rating: Mapped[int | None] = integer("Rating", read="qdemo.person.rating")
    phones: Mapped[list[QueryPhone]] = lines("Phones", "QueryPhone")


class QueryDeal(Record):
    __tablename__ = "qdemo_deal"
    __record__ = RecordType(
        "Deal", "Deals", path="deals", workflow=Workflow(*(Stage(name, name.title()) for name in STAGES))
    )

    name: Mapped[str] = text("Name", required=True, title=True, search=True)
    person_id: Mapped[int | None] = reference("Person", "qdemo_person", ondelete="SET NULL")
    stage: Mapped[str] = stage("Stage", default="new")
    source: Mapped[str | None] = choice("Source", (Choice("web", "Web"), Choice("fair", "Fair")))
    amount: Mapped[Decimal | None] = money("Amount")
    seats: Mapped[int | None] = integer("Seats")
    closed_on: Mapped[dt.date | None] = date("Closed on")
    met_at: Mapped[dt.datetime | None] = moment("Met at")
    hot: Mapped[bool] = boolean("Hot")


class QueryCredit(Extension[QueryPerson]):
    __tablename__ = "qsales_person"

    record_id: Mapped[int] = extends("qdemo_person")
    limit: Mapped[Decimal] = money("Credit limit", default=Decimal(100))
    agent_id: Mapped[int | None] = reference("Agent", "core_user", ondelete="SET NULL")


MODELS = (QueryPhone, QueryPerson, QueryDeal)
for model in MODELS:
    model.__module__ = "comptoir_qdemo.models"
QueryCredit.__module__ = "comptoir_qsales.models"
TABLES: list[Any] = [
    model.__table__ for model in (User, Team, TeamMember, TeamClosure, SavedView, SearchEntry, *MODELS, QueryCredit)
]
EVERYTHING = {f"qdemo.{record}.{action}": "all" for record in ("person", "deal") for action in ("read", "write")}
FULL = {**EVERYTHING, "qdemo.person.rating": "all", "qdemo.phone.secret": "all"}


def plugin(name: str, *models: type[Base]) -> Plugin:
    module = types.ModuleType(f"comptoir_{name}.plugin")
    return Plugin(Available(name, module.__name__, "1"), (module,), Manifest(name), models)


def stamped(record: Any) -> Any:
    record.created_at = record.updated_at = NOW
    record.custom = record.custom or {}
    record.search_key = search_key(record)
    return record


@dataclass
class World:
    """The models, a registry that knows them, and contexts for people with the given grants."""

    engine: Engine
    registry: Registry = field(
        default_factory=lambda: Registry([plugin("qdemo", *MODELS), plugin("qsales", QueryCredit)])
    )
    now: dt.datetime = NOW
    zone: str = "Europe/Bucharest"
    Person: type[QueryPerson] = QueryPerson
    Deal: type[QueryDeal] = QueryDeal
    Phone: type[QueryPhone] = QueryPhone
    Credit: type[QueryCredit] = QueryCredit
    stamped: Callable[[Any], Any] = stamped

    @property
    def deals(self) -> Any:
        return self.registry.record_type(QueryDeal)

    @property
    def people(self) -> Any:
        return self.registry.record_type(QueryPerson)

    @contextmanager
    def context(self, grants: Mapping[str, str] | None = None, *, user_id: int = 1) -> Iterator[Context]:
        """A context of user 1 (Ana), who may read everything unless told otherwise."""
        held = Grants(frozenset((FULL if grants is None else grants).items()))
        actor = Actor(user_id, "Ana", held, team_ids=frozenset({1}), timezone=self.zone)
        policy: Policy = policy_for(self.registry, held)
        with UnitOfWork(self.engine, policy=policy, user_id=user_id, write=True) as unit:
            yield self._context(unit, actor)

    @contextmanager
    def system(self) -> Iterator[Context]:
        """Where the rows of a test are put into the tables as they are."""
        with opened("test"), UnitOfWork(self.engine, write=True) as unit:
            yield self._context(unit, system_actor("test"))

    def _context(self, unit: UnitOfWork, actor: Actor) -> Context:
        settings = Settings("test", str(self.engine.url), Path("data"), timezone=ZoneInfo(self.zone))
        return Context(
            unit_of_work=unit,
            registry=self.registry,
            settings=settings,
            actor=actor,
            clock=lambda: self.now,
            outbox=lambda *_: None,
        )

    def index(self) -> None:
        """Bring the search in step with rows that no save has written."""
        with self.system() as ctx:
            for declared in self.registry.record_types.values():
                for departure in departures(ctx, declared):
                    mend(ctx, departure)

    @contextmanager
    def counting(self) -> Iterator[list[str]]:
        """The statements that the block sends."""
        sent: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            sent.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            yield sent
        finally:
            event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The tables without a row."""
    if request.param == "sqlite":
        yield from _world(f"sqlite:///{tmp_path_factory.mktemp('query')}/test.db")
        return
    try:
        server_url()
    except PostgresUnavailable as reason:
        pytest.skip(str(reason))
    with fresh_database() as url:
        yield from _world(url)


def _world(url: str) -> Iterator[World]:
    engine = create_engine(url)
    Base.metadata.create_all(engine, tables=TABLES)
    yield World(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def world(empty_world: World) -> World:
    """Two users, two teams, five people, eight deals."""
    with empty_world.system() as ctx:
        session = ctx.session
        session.add_all([stamped(Team(id=1, name="East")), stamped(Team(id=2, name="West", parent_id=1))])
        session.flush()
        session.add_all([stamped(User(id=1, name="Ana Mureșan")), stamped(User(id=2, name="Ben Otto", team_id=2))])
        session.flush()
        company = QueryPerson(id=1, name="Mega Fruct SRL", city="Cluj", owner_id=1, team_id=1, rating=5)
        people = [
            company,
            QueryPerson(
                id=2, name="Ștefan Łukasz", city="Iași", parent_id=1, email="stefan@example.org", owner_id=2, team_id=2
            ),
            QueryPerson(
                id=3, name="Ion Pop", city="Cluj", parent_id=1, email="office_1@example.org", owner_id=1, rating=2
            ),
            QueryPerson(id=4, name="100% Bio", city=None, owner_id=2, notes="line\nline"),
            QueryPerson(id=5, name="Old Friend", city="Sofia", owner_id=1, archived_at=NOW),
        ]
        people[1].phones = [
            QueryPhone(number="+40721555001", label="mobile", position=0),
            QueryPhone(number="+40264000111", label="work", position=1),
        ]
        people[2].phones = [QueryPhone(number="+40722000222", label="mobile", position=0, secret="x")]
        session.add_all(map(stamped, people))
        session.flush()
        session.add(QueryCredit(record_id=2, limit=Decimal(500), agent_id=2))
        rows: list[tuple[Any, ...]] = [
            (1, "Apples", 1, "won", "web", "1000.50", 3, dt.date(2026, 11, 20), "2026-11-20T22:30", True, 1, 1),
            (2, "Bananas", 2, "won", None, "250", None, dt.date(2026, 1, 1), "2025-12-31T22:30", False, 2, 2),
            (3, "Cherries", 2, "lost", "fair", None, 10, dt.date(2025, 12, 31), None, False, 2, 2),
            (4, "Dates", 3, "new", "web", "99.99", 1, None, "2026-11-22T08:00", True, 1, None),
            (5, "Elder", None, "talks", None, "0", 0, None, "2026-07-01T12:00", False, None, None),
            (6, "Figs", 3, "talks", "fair", "-10", -5, dt.date(2026, 11, 22), None, False, 1, 1),
            (7, "Grapes", 4, "new", "web", "1000.50", 3, dt.date(2026, 2, 28), "2026-03-29T00:30", False, 2, 1),
            (8, "Old apples", 1, "won", "web", "5", 1, dt.date(2020, 2, 29), "2020-02-29T10:00", False, 1, 1),
        ]
        for number, name, person, at, source, amount, seats, closed, met, hot, owner, team in rows:
            session.add(
                stamped(
                    QueryDeal(
                        id=number,
                        name=name,
                        person_id=person,
                        stage=at,
                        source=source,
                        amount=None if amount is None else Decimal(amount),
                        seats=seats,
                        closed_on=closed,
                        met_at=None if met is None else dt.datetime.fromisoformat(met).replace(tzinfo=dt.UTC),
                        hot=hot,
                        owner_id=owner,
                        team_id=team,
                        archived_at=NOW if number == 8 else None,
                    )
                )
            )
    empty_world.index()
    return empty_world
