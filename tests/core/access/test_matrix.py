"""Whatever statement a user's session emits, it gives what it gives on a twin database that holds only the user's rows.

The twin is filled by predicates in plain Python, so that the rules are not checked against themselves.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    backref,
    column_property,
    contains_eager,
    defer,
    joinedload,
    load_only,
    make_transient_to_detached,
    mapped_column,
    raiseload,
    relationship,
    selectinload,
    subqueryload,
    undefer,
)
from sqlalchemy.orm.exc import StaleDataError

from comptoir.access.guard import (
    And,
    Attached,
    Everything,
    Instead,
    Own,
    Pointing,
    Policy,
    Rule,
    TableRule,
    Team,
    Through,
    Where,
    me,
)
from comptoir.db.engine import create_engine
from comptoir.db.types import MoneyType, RecordRefType, average
from comptoir.db.unit_of_work import UnitOfWork
from comptoir.errors import ConfigurationError, NotAllowed
from comptoir.testing.postgres import PostgresUnavailable, fresh_database, server_url
from comptoir.values import RecordRef

pytestmark = pytest.mark.drill

# --- a small world ----------------------------------------------------------------------------------------------------


class Base(DeclarativeBase):
    pass


team_closure = sa.Table(
    "core_team_closure",
    Base.metadata,
    sa.Column("ancestor_id", sa.Integer, primary_key=True),
    sa.Column("descendant_id", sa.Integer, primary_key=True),
)
team_member = sa.Table(
    "core_team_member",
    Base.metadata,
    sa.Column("team_id", sa.Integer, primary_key=True),
    sa.Column("user_id", sa.Integer, primary_key=True),
)
vault = sa.Table("vault", Base.metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("word", sa.Text))


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


deal_tag = sa.Table(
    "deal_tag",
    Base.metadata,
    sa.Column("deal_id", sa.ForeignKey("deal.id"), primary_key=True),
    sa.Column("tag_id", sa.ForeignKey("tag.id"), primary_key=True),
)


class Contact(Base):
    __tablename__ = "contact"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    city: Mapped[str | None]
    income: Mapped[Decimal | None] = mapped_column(MoneyType)
    owner_id: Mapped[int | None]
    team_id: Mapped[int | None]
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("contact.id"))
    phones: Mapped[list["Phone"]] = relationship(
        back_populates="contact", order_by="Phone.id", cascade="all, delete-orphan"
    )
    deals: Mapped[list["Deal"]] = relationship(back_populates="contact", order_by="Deal.id")
    parent: Mapped["Contact | None"] = relationship(remote_side="Contact.id")

    @hybrid_property
    def shout(self) -> str:
        return self.name.upper()

    @shout.inplace.expression
    @classmethod
    def _shout(cls) -> sa.ColumnElement[str]:
        return sa.func.upper(cls.name)


class Phone(Base):
    __tablename__ = "phone"
    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(sa.ForeignKey("contact.id"))
    number: Mapped[str]
    contact: Mapped[Contact] = relationship(back_populates="phones")
    calls: Mapped[list["Call"]] = relationship(back_populates="phone", order_by="Call.id")


class Call(Base):
    """Seen through its phone, which is seen through its contact."""

    __tablename__ = "call"
    id: Mapped[int] = mapped_column(primary_key=True)
    phone_id: Mapped[int | None] = mapped_column(sa.ForeignKey("phone.id"))
    seconds: Mapped[int]
    phone: Mapped[Phone | None] = relationship(back_populates="calls")


class Deal(Base):
    __tablename__ = "deal"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    stage: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(MoneyType)
    contact_id: Mapped[int | None] = mapped_column(sa.ForeignKey("contact.id"))
    owner_id: Mapped[int | None]
    team_id: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=1)
    contact: Mapped[Contact | None] = relationship(back_populates="deals")
    tags: Mapped[list[Tag]] = relationship(secondary=deal_tag, order_by="Tag.id")
    tag_names: AssociationProxy[list[str]] = association_proxy("tags", "name")
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as the library declares it


class Tagging(Base):
    """A tag of a deal as a line of it."""

    __table__ = deal_tag
    deal: Mapped[Deal] = relationship(backref=backref("taggings", overlaps="tags"), overlaps="tags")


class Note(Base):
    """Attached to any record by (type, id)."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    record_type: Mapped[str]
    record_id: Mapped[int]
    words: Mapped[str]


class Remark(Base):
    """Seen through its contact, or where it has none through whatever record it is about."""

    __tablename__ = "remark"
    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int | None] = mapped_column(sa.ForeignKey("contact.id"))
    about: Mapped[RecordRef | None] = mapped_column(RecordRefType)
    words: Mapped[str]


class DealTally(Base):
    """The same table as Phone's contact, with a computed column over deals."""

    __table__ = Contact.__table__
    deals_open: Mapped[int] = column_property(
        sa.select(sa.func.count(Deal.id))
        .where(Deal.contact_id == Contact.__table__.c.id, Deal.stage != "lost")
        .correlate_except(Deal)
        .scalar_subquery()
    )
    __mapper_args__ = {"include_properties": ["id", "name", "deals_open"]}  # noqa: RUF012 - as the library declares it


contacts, phones, calls, deals, notes = (
    Base.metadata.tables[name] for name in ("contact", "phone", "call", "deal", "note")
)

ME = 1
# team 10 is above 11, 11 above 12; 20 stands beside them; I am in 11
TEAMS = [(10, 10), (10, 11), (10, 12), (11, 11), (11, 12), (12, 12), (20, 20)]
MEMBERS = [(11, ME), (10, 2), (20, 3)]
MY_TEAMS = {11, 12}
RECORDS = {"contact": "contact", "deal": "deal", "tag": "tag"}
REMARKED = {"crm.contact": "contact", "crm.deal": "deal", "crm.tag": "tag"}


def rows_of_the_world() -> dict[str, list[dict[str, Any]]]:
    cities, stages, teams = ["Łódź", "Cluj", "Baku"], ["new", "won", "lost", "open"], [None, 10, 11, 12, 20]
    people = [
        {
            "id": n,
            "name": f"Person {n:02}",
            "city": cities[n % 3],
            "income": Decimal(n) * 1000 if n % 4 else None,
            "owner_id": [1, 2, 3, None][n % 4],
            "team_id": teams[n % 5],
            "parent_id": n - 3 if n > 6 else None,
        }
        for n in range(1, 31)
    ]
    return {
        "core_team_closure": [{"ancestor_id": a, "descendant_id": d} for a, d in TEAMS],
        "core_team_member": [{"team_id": team, "user_id": user} for team, user in MEMBERS],
        "tag": [{"id": n, "name": f"tag {n}"} for n in range(1, 5)],
        "vault": [{"id": 1, "word": "swordfish"}],
        "contact": people,
        "phone": [{"id": n, "contact_id": 1 + n % 30, "number": f"+40{n:03}"} for n in range(1, 41)],
        "call": [{"id": n, "phone_id": 1 + n % 40 if n % 9 else None, "seconds": n * 7 % 50} for n in range(1, 61)],
        "deal": [
            {
                "id": n,
                "name": f"Deal {n:02}",
                "stage": stages[n % 4],
                "amount": Decimal(n) * 10 + Decimal("0.05"),
                "contact_id": 1 + n * 7 % 30 if n % 6 else None,
                "owner_id": [1, 2, 3, None, 1][n % 5],
                "team_id": teams[n * 3 % 5],
                "version": 1,
            }
            for n in range(1, 41)
        ],
        "deal_tag": [{"deal_id": n, "tag_id": 1 + n % 4} for n in range(1, 41)]
        + [{"deal_id": n, "tag_id": 1 + (n + 1) % 4} for n in range(1, 41, 2)],
        "note": [
            {"id": n, "record_type": kind, "record_id": 1 + n % (4 if kind == "tag" else 30), "words": f"{kind} {n}"}
            for n, kind in zip(range(1, 61), ["contact", "deal", "tag", "letter"] * 15, strict=True)
        ],
        "remark": [
            {
                "id": n,
                "contact_id": 1 + n * 11 % 30 if n % 3 == 0 else None,
                "about": RecordRef(kind, 1 + n % (4 if kind == "crm.tag" else 30)) if kind else None,
                "words": f"{kind} {n}",
            }
            for n, kind in zip(
                range(1, 61), ["crm.contact", "crm.deal", "crm.tag", "crm.letter", None] * 12, strict=True
            )
        ],
    }


@dataclass(frozen=True)
class Eyes:
    """A policy, and the same in plain Python: which row of a scoped table is seen, which columns are blank."""

    name: str
    scope: Rule
    sees: Callable[[dict[str, Any]], bool]
    hidden: frozenset[str] = frozenset()

    @property
    def policy(self) -> Policy:
        def line(column: str, parent: str) -> TableRule:
            rule = Through(column, parent)
            return TableRule(rule, rule, rule, insert=True)

        scoped = TableRule(self.scope, self.scope, self.scope, insert=True)
        attached = Attached()
        either = Instead(Through("contact_id", "contact", writing="read"), Pointing("about", tuple(REMARKED)))
        return Policy(
            Base.metadata,
            {
                "tag": TableRule(read=Everything()),
                "contact": TableRule(self.scope, self.scope, self.scope, insert=True, hidden=self.hidden),
                "phone": line("contact_id", "contact"),
                "call": line("phone_id", "phone"),
                "deal": scoped,
                "deal_tag": line("deal_id", "deal"),
                "note": TableRule(attached, attached, attached, insert=True),
                "remark": TableRule(either, either, either, insert=True),
            },
            records=RECORDS | REMARKED,
        )

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of the twin."""
        world = rows_of_the_world()
        world["contact"] = [row | dict.fromkeys(self.hidden) for row in world["contact"] if self.sees(row)]
        world["deal"] = [row for row in world["deal"] if self.sees(row)]
        ids = {name: {row["id"] for row in world[name]} for name in ("contact", "deal", "tag")}
        world["phone"] = [row for row in world["phone"] if row["contact_id"] in ids["contact"]]
        numbers = {row["id"] for row in world["phone"]}
        world["call"] = [row for row in world["call"] if row["phone_id"] in numbers]
        world["deal_tag"] = [row for row in world["deal_tag"] if row["deal_id"] in ids["deal"]]
        world["note"] = [row for row in world["note"] if row["record_id"] in ids.get(row["record_type"], ())]
        world["remark"] = [row for row in world["remark"] if is_remark_seen(row, ids)]
        return world


def is_remark_seen(row: dict[str, Any], ids: dict[str, set[int]]) -> bool:
    about = row["about"]
    if row["contact_id"] is not None:
        return row["contact_id"] in ids["contact"]
    return about is not None and about.record_id in ids.get(about.record_type.removeprefix("crm."), ())


def is_mine(row: dict[str, Any]) -> bool:
    return bool(row["owner_id"] == ME)


def is_of_my_teams(row: dict[str, Any]) -> bool:
    return is_mine(row) or row["team_id"] in MY_TEAMS


def own_row(row: sa.FromClause) -> sa.ColumnElement[bool]:
    return row.c.name.like("%1%")


EYES = [
    Eyes("own", Own(), is_mine),
    Eyes("team", Team(), is_of_my_teams),
    Eyes("hidden field", Everything(), lambda row: True, frozenset({"income"})),
    Eyes("own with a hidden field", Own(), is_mine, frozenset({"income", "city"})),
    Eyes(
        "narrowed by a plugin",
        And((Team(), Where("ones", own_row))),
        lambda row: is_of_my_teams(row) and "1" in row["name"],
    ),
    Eyes(
        "another table decides",
        Where(
            "member",
            lambda row: sa.exists().where(team_member.c.user_id == me(), team_member.c.team_id == row.c.team_id),
        ),
        lambda row: row["team_id"] == 11,
    ),
]


def fill(url: str, rows: dict[str, list[dict[str, Any]]], *, enforce: bool = True) -> sa.Engine:
    engine = create_engine(url)
    if not enforce:  # a twin lacks the rows that its references lead to
        statement = (
            "PRAGMA foreign_keys=OFF" if engine.dialect.name == "sqlite" else "SET session_replication_role=replica"
        )

        @sa.event.listens_for(engine, "connect")
        def _without_keys(connection: Any, _record: object) -> None:
            connection.cursor().execute(statement)
            if engine.dialect.name == "postgresql":
                connection.commit()

    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            if values := rows.get(table.name):
                connection.execute(table.insert(), values)
        if engine.dialect.name == "postgresql":
            for name in ("contact", "phone", "call", "deal", "note", "tag", "remark"):
                connection.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), 1000)"))
    return engine


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Makes filled databases on one engine."""
    numbers = count()

    @contextmanager
    def on_sqlite(rows: dict[str, list[dict[str, Any]]], **how: bool) -> Iterator[sa.Engine]:
        engine = fill(f"sqlite:///{tmp_path_factory.mktemp('matrix')}/{next(numbers)}.db", rows, **how)
        yield engine
        engine.dispose()

    @contextmanager
    def on_postgresql(rows: dict[str, list[dict[str, Any]]], **how: bool) -> Iterator[sa.Engine]:
        with fresh_database() as url:
            engine = fill(url, rows, **how)
            yield engine
            engine.dispose()

    if request.param == "postgresql":
        try:
            server_url()
        except PostgresUnavailable as reason:
            pytest.skip(str(reason))
    return on_sqlite if request.param == "sqlite" else on_postgresql


@pytest.fixture(scope="module")
def world(new_database: Callable[..., Any]) -> Iterator[sa.Engine]:
    with new_database(rows_of_the_world()) as engine:
        yield engine


@pytest.fixture(scope="module", params=EYES, ids=lambda eyes: eyes.name)
def eyes(request: pytest.FixtureRequest) -> Eyes:
    found: Eyes = request.param
    return found


@pytest.fixture(scope="module")
def twin(new_database: Callable[..., Any], eyes: Eyes) -> Iterator[sa.Engine]:
    with new_database(eyes.rows(), enforce=False) as engine:
        yield engine


# --- reads ------------------------------------------------------------------------------------------------------------

Read = Callable[[Session], Any]
READS: list[Read] = []


def reads(shape: Read) -> Read:
    READS.append(shape)
    return shape


def plain(value: Any) -> Any:
    """Rows and objects as tuples of plain values, in an order of their own."""
    if isinstance(value, Base):
        state = sa.inspect(value)
        return (type(value).__name__, *((a.key, getattr(value, a.key)) for a in state.mapper.column_attrs))
    if isinstance(value, (list, tuple, sa.Row, set)):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return sorted((key, plain(each)) for key, each in value.items())
    return value


def unordered(value: Any) -> Any:
    return sorted(map(repr, plain(value))) if isinstance(value, (list, tuple, set)) else plain(value)


@reads
def entities(s: Session) -> Any:
    return s.scalars(sa.select(Contact)).all()


@reads
def entities_of_a_child(s: Session) -> Any:
    return s.scalars(sa.select(Phone)).all()


@reads
def entities_of_a_grandchild(s: Session) -> Any:
    return s.scalars(sa.select(Call)).all()


@reads
def entities_attached_to_any_record(s: Session) -> Any:
    return s.scalars(sa.select(Note)).all()


@reads
def entities_seen_either_way(s: Session) -> Any:
    return s.scalars(sa.select(Remark)).all()


@reads
def entities_about_one_record(s: Session) -> Any:
    about = [RecordRef("crm.deal", n) for n in range(1, 41)] + [RecordRef("crm.contact", n) for n in range(1, 31)]
    return s.scalars(sa.select(Remark).where(Remark.about.in_(about))).all()


@reads
def entities_seen_either_way_joined(s: Session) -> Any:
    return s.execute(sa.select(Remark.words, Contact.name).outerjoin(Contact, Remark.contact_id == Contact.id)).all()


@reads
def columns(s: Session) -> Any:
    return s.execute(sa.select(Contact.name, Contact.income)).all()


@reads
def core_table(s: Session) -> Any:
    return s.execute(sa.select(contacts)).all()


@reads
def core_child_table(s: Session) -> Any:
    return s.execute(sa.select(phones.c.number)).all()


@reads
def core_through_the_connection(s: Session) -> Any:
    return s.connection().execute(sa.select(deals)).all()


@reads
def association_table(s: Session) -> Any:
    return s.execute(sa.select(deal_tag)).all()


@reads
def association_table_counted(s: Session) -> Any:
    return s.execute(sa.select(deal_tag.c.tag_id, sa.func.count()).group_by(deal_tag.c.tag_id)).all()


@reads
def public_table(s: Session) -> Any:
    return s.scalars(sa.select(Tag)).all()


@reads
def condition(s: Session) -> Any:
    return s.scalars(sa.select(Deal).where(Deal.amount > 100, Deal.stage == "won")).all()


@reads
def condition_on_the_hidden_field(s: Session) -> Any:
    return s.scalars(sa.select(Contact.name).where(Contact.income > 5000)).all()


@reads
def condition_always_true(s: Session) -> Any:
    return s.scalars(sa.select(Contact).where(sa.or_(sa.true(), Contact.owner_id != ME))).all()


@reads
def condition_on_another_owner(s: Session) -> Any:
    return s.scalars(sa.select(Deal).where(Deal.owner_id == 2)).all()


@reads
def ordered_by_the_hidden_field(s: Session) -> Any:
    query = sa.select(Contact.id).order_by(Contact.income.desc().nulls_last(), Contact.id)
    return [list(s.scalars(query))]


@reads
def grouped_by_the_hidden_field(s: Session) -> Any:
    return s.execute(sa.select(Contact.income, sa.func.count()).group_by(Contact.income)).all()


@reads
def aggregate_of_the_hidden_field(s: Session) -> Any:
    return s.execute(
        sa.select(sa.func.sum(Contact.income), sa.func.min(Contact.income), average(contacts.c.income))
    ).all()


@reads
def hidden_field_in_an_expression(s: Session) -> Any:
    return s.execute(sa.select(Contact.id, sa.func.coalesce(Contact.income, Contact.income) * 2)).all()


@reads
def hidden_field_of_an_alias(s: Session) -> Any:
    other = aliased(Contact)
    return s.execute(sa.select(other.id, other.income, other.city)).all()


@reads
def hidden_field_filtered_by_exists(s: Session) -> Any:
    return s.scalars(sa.select(Deal.id).where(Deal.contact.has(Contact.income > 5000))).all()


@reads
def first(s: Session) -> Any:
    return s.scalars(sa.select(Deal).order_by(Deal.id).limit(1)).first()


@reads
def page(s: Session) -> Any:
    return s.scalars(sa.select(Deal).order_by(Deal.name.desc()).limit(5).offset(3)).all()


@reads
def page_by_key(s: Session) -> Any:
    key = sa.tuple_(Deal.stage, Deal.id)
    return s.scalars(sa.select(Deal).where(key > sa.tuple_("new", 8)).order_by(Deal.stage, Deal.id).limit(7)).all()


@reads
def distinct(s: Session) -> Any:
    return s.scalars(sa.select(Contact.city).distinct()).all()


@reads
def count_all(s: Session) -> Any:
    return s.scalar(sa.select(sa.func.count()).select_from(Contact))


@reads
def count_of_a_column(s: Session) -> Any:
    return s.scalar(sa.select(sa.func.count(Phone.id)))


@reads
def count_distinct(s: Session) -> Any:
    return s.scalar(sa.select(sa.func.count(sa.distinct(Deal.owner_id))))


@reads
def total(s: Session) -> Any:
    return s.scalar(sa.select(sa.func.sum(Deal.amount)))


@reads
def grouped(s: Session) -> Any:
    return s.execute(sa.select(Deal.stage, sa.func.sum(Deal.amount), sa.func.count()).group_by(Deal.stage)).all()


@reads
def grouped_having(s: Session) -> Any:
    query = sa.select(Deal.contact_id, sa.func.count()).group_by(Deal.contact_id).having(sa.func.count() > 1)
    return s.execute(query).all()


@reads
def aggregate_with_a_filter(s: Session) -> Any:
    return s.scalar(sa.select(sa.func.count(Deal.id).filter(Deal.stage == "won")))


@reads
def joined(s: Session) -> Any:
    return s.execute(sa.select(Deal.name, Contact.name).join(Deal.contact)).all()


@reads
def joined_to_children(s: Session) -> Any:
    return s.execute(sa.select(Contact.name, Phone.number).join(Contact.phones)).all()


@reads
def joined_three_deep(s: Session) -> Any:
    return s.execute(sa.select(Contact.name, Call.seconds).join(Contact.phones).join(Phone.calls)).all()


@reads
def outer_joined(s: Session) -> Any:
    return s.execute(sa.select(Deal.name, Contact.name).outerjoin(Deal.contact)).all()


@reads
def outer_joined_from_the_other_side(s: Session) -> Any:
    return s.execute(sa.select(Contact.name, Deal.name).outerjoin(Deal, Deal.contact_id == Contact.id)).all()


@reads
def outer_joined_nested(s: Session) -> Any:
    inner = sa.join(phones, calls, calls.c.phone_id == phones.c.id)
    query = sa.select(contacts.c.name, calls.c.seconds).select_from(
        contacts.outerjoin(inner, phones.c.contact_id == contacts.c.id)
    )
    return s.execute(query).all()


@reads
def full_joined(s: Session) -> Any:
    query = sa.select(Deal.id, Contact.id).join(Contact, Deal.contact_id == Contact.id, full=True)
    return s.execute(query).all()


@reads
def joined_to_itself(s: Session) -> Any:
    above = aliased(Contact)
    return s.execute(sa.select(Contact.name, above.name).join(above, Contact.parent_id == above.id)).all()


@reads
def joined_through_an_association(s: Session) -> Any:
    return s.execute(sa.select(Deal.name, Tag.name).join(Deal.tags)).all()


@reads
def multiplied(s: Session) -> Any:
    return s.execute(sa.select(Tag.id, Deal.id).join(Deal, sa.true())).all()


@reads
def implicit_join(s: Session) -> Any:
    return s.execute(sa.select(Phone.number, Contact.city).where(Phone.contact_id == Contact.id)).all()


@reads
def an_alias(s: Session) -> Any:
    other = aliased(Deal, name="other")
    return s.scalars(sa.select(other).where(other.stage == "open")).all()


@reads
def a_core_alias(s: Session) -> Any:
    other = contacts.alias("contact_1")
    return s.execute(sa.select(other.c.name)).all()


@reads
def an_alias_named_as_another_table(s: Session) -> Any:
    other = contacts.alias("tag")
    return s.execute(sa.select(other.c.name)).all()


@reads
def a_subquery(s: Session) -> Any:
    inner = sa.select(Deal.contact_id, sa.func.sum(Deal.amount).label("sum")).group_by(Deal.contact_id).subquery()
    return s.execute(sa.select(Contact.name, inner.c.sum).join(inner, inner.c.contact_id == Contact.id)).all()


@reads
def an_entity_of_a_subquery(s: Session) -> Any:
    inner = sa.select(Contact).where(Contact.id > 4).subquery()
    other = aliased(Contact, inner)
    return s.scalars(sa.select(other)).all()


@reads
def a_scalar_subquery(s: Session) -> Any:
    number = sa.select(sa.func.count(Deal.id)).where(Deal.contact_id == Contact.id).scalar_subquery()
    return s.execute(sa.select(Contact.name, number)).all()


@reads
def an_uncorrelated_subquery(s: Session) -> Any:
    most = sa.select(sa.func.max(Deal.amount)).scalar_subquery()
    return s.scalars(sa.select(Deal.name).where(Deal.amount == most)).all()


@reads
def a_subquery_of_the_same_table(s: Session) -> Any:
    other = aliased(Deal)
    best = sa.select(sa.func.max(other.amount)).where(other.stage == Deal.stage).scalar_subquery()
    return s.scalars(sa.select(Deal.name).where(Deal.amount == best)).all()


@reads
def a_lateral_subquery(s: Session) -> Any:
    if s.get_bind().dialect.name == "sqlite":
        return None
    last = sa.select(Deal.name).where(Deal.contact_id == Contact.id).order_by(Deal.id.desc()).limit(1).lateral()
    return s.execute(sa.select(Contact.name, last.c.name).join(last, sa.true())).all()


@reads
def in_a_subquery(s: Session) -> Any:
    return s.scalars(sa.select(Contact.name).where(Contact.id.in_(sa.select(Deal.contact_id)))).all()


@reads
def not_in_a_subquery(s: Session) -> Any:
    wanted = sa.select(Deal.contact_id).where(Deal.contact_id.is_not(None))
    return s.scalars(sa.select(Contact.name).where(Contact.id.not_in(wanted))).all()


@reads
def existing(s: Session) -> Any:
    return s.scalars(sa.select(Contact.name).where(sa.exists().where(Deal.contact_id == Contact.id))).all()


@reads
def not_existing(s: Session) -> Any:
    return s.scalars(sa.select(Contact.name).where(~sa.exists().where(Phone.contact_id == Contact.id))).all()


@reads
def existing_at_all(s: Session) -> Any:
    return s.scalar(sa.select(sa.exists().where(Contact.owner_id == 2)))


@reads
def having_any(s: Session) -> Any:
    return s.scalars(sa.select(Contact.name).where(Contact.deals.any(Deal.stage == "won"))).all()


@reads
def having_a_tag(s: Session) -> Any:
    return s.scalars(sa.select(Deal.name).where(Deal.tags.any(Tag.id == 2))).all()


@reads
def belonging_to(s: Session) -> Any:
    return s.scalars(sa.select(Phone.number).where(Phone.contact.has(Contact.city == "Cluj"))).all()


@reads
def a_common_table_expression(s: Session) -> Any:
    big = sa.select(Deal.id, Deal.contact_id).where(Deal.amount > 120).cte("big")
    return s.execute(sa.select(big.c.id, Contact.name).join(Contact, Contact.id == big.c.contact_id)).all()


@reads
def a_recursive_expression(s: Session) -> Any:
    tree = sa.select(Contact.id, sa.literal(0).label("depth")).where(Contact.parent_id.is_(None)).cte(recursive=True)
    tree = tree.union_all(sa.select(contacts.c.id, tree.c.depth + 1).join(tree, contacts.c.parent_id == tree.c.id))
    return s.execute(sa.select(tree)).all()


@reads
def a_union(s: Session) -> Any:
    return s.execute(sa.union(sa.select(Contact.name), sa.select(Deal.name))).all()


@reads
def a_union_of_the_same_table(s: Session) -> Any:
    return s.execute(
        sa.union_all(sa.select(deals.c.id).where(deals.c.id < 9), sa.select(deals.c.id).where(deals.c.stage == "won"))
    ).all()


@reads
def an_intersection(s: Session) -> Any:
    return s.execute(sa.intersect(sa.select(Contact.id), sa.select(Deal.contact_id))).all()


@reads
def a_difference(s: Session) -> Any:
    return s.execute(sa.except_(sa.select(Contact.id), sa.select(Deal.contact_id))).all()


@reads
def entities_of_a_union(s: Session) -> Any:
    both = sa.union(sa.select(Deal).where(Deal.stage == "won"), sa.select(Deal).where(Deal.amount < 90))
    return s.scalars(sa.select(Deal).from_statement(both)).all()


@reads
def entities_from_a_statement(s: Session) -> Any:
    return s.scalars(sa.select(Contact).from_statement(sa.select(contacts).where(contacts.c.id > 10))).all()


@reads
def row_numbers(s: Session) -> Any:
    number = sa.func.row_number().over(partition_by=Deal.stage, order_by=Deal.id)
    return s.execute(sa.select(Deal.id, number)).all()


@reads
def running_totals(s: Session) -> Any:
    running = sa.func.sum(Deal.amount).over(order_by=Deal.id)
    return s.execute(sa.select(Deal.id, running)).all()


@reads
def rank_by_the_hidden_field(s: Session) -> Any:
    rank = sa.func.rank().over(order_by=sa.func.coalesce(sa.cast(Contact.income, sa.Integer), 0))
    return s.execute(sa.select(Contact.id, rank)).all()


@reads
def cases(s: Session) -> Any:
    return s.execute(sa.select(Deal.id, sa.case((Deal.owner_id == 2, "his"), else_="other"))).all()


@reads
def functions(s: Session) -> Any:
    return s.execute(sa.select(sa.func.lower(Contact.name), sa.func.substr(Contact.city, 1, 2))).all()


@reads
def an_operator_by_name(s: Session) -> Any:
    third = Deal.id.op("%")(3).label("third")
    return s.execute(sa.select(third, sa.func.count()).group_by(third)).all()


@reads
def a_constant_beside_a_count(s: Session) -> Any:
    return s.execute(sa.select(sa.literal_column("1"), sa.func.count()).select_from(Deal)).all()


@reads
def a_lightweight_table(s: Session) -> Any:
    return s.execute(sa.select(sa.column("name")).select_from(sa.table("contact", sa.column("name")))).all()


@reads
def a_lightweight_hidden_column(s: Session) -> Any:
    return s.execute(sa.select(sa.column("id"), sa.column("income")).select_from(sa.table("contact"))).all()


@reads
def get(s: Session) -> Any:
    return [s.get(Contact, n) for n in range(1, 31)]


@reads
def get_a_child(s: Session) -> Any:
    return [s.get(Phone, n) for n in range(1, 41)]


@reads
def get_many_by_key(s: Session) -> Any:
    return s.scalars(sa.select(Deal).where(Deal.id.in_(range(1, 20)))).all()


@reads
def lazy_collections(s: Session) -> Any:
    return [(c.name, [p.number for p in c.phones], [d.id for d in c.deals]) for c in s.scalars(sa.select(Contact))]


@reads
def lazy_references(s: Session) -> Any:
    return [(d.name, d.contact and d.contact.name) for d in s.scalars(sa.select(Deal))]


@reads
def lazy_reference_to_itself(s: Session) -> Any:
    return [(c.name, c.parent and c.parent.name) for c in s.scalars(sa.select(Contact))]


@reads
def lazy_association(s: Session) -> Any:
    return [(d.id, list(d.tag_names)) for d in s.scalars(sa.select(Deal))]


@reads
def eager_by_join(s: Session) -> Any:
    query = sa.select(Deal).options(joinedload(Deal.contact).joinedload(Contact.phones))
    return [(d.id, d.contact and [p.id for p in d.contact.phones]) for d in s.scalars(query).unique()]


@reads
def eager_by_inner_join(s: Session) -> Any:
    query = sa.select(Phone).options(joinedload(Phone.contact, innerjoin=True), raiseload("*"))
    return [(p.id, p.contact.name) for p in s.scalars(query)]


@reads
def eager_by_in(s: Session) -> Any:
    query = sa.select(Contact).options(selectinload(Contact.deals), selectinload(Contact.phones))
    return [(c.id, [d.id for d in c.deals], [p.id for p in c.phones]) for c in s.scalars(query)]


@reads
def eager_by_in_many_to_many(s: Session) -> Any:
    return [(d.id, [t.id for t in d.tags]) for d in s.scalars(sa.select(Deal).options(selectinload(Deal.tags)))]


@reads
def eager_by_in_many_to_one(s: Session) -> Any:
    query = sa.select(Deal).options(selectinload(Deal.contact))
    return [(d.id, d.contact and d.contact.name) for d in s.scalars(query)]


@reads
def eager_by_subquery(s: Session) -> Any:
    query = sa.select(Contact).options(subqueryload(Contact.deals))
    return [(c.id, [d.id for d in c.deals]) for c in s.scalars(query)]


@reads
def eager_of_an_explicit_join(s: Session) -> Any:
    query = sa.select(Deal).join(Deal.contact).options(contains_eager(Deal.contact))
    return [(d.id, d.contact and d.contact.name) for d in s.scalars(query)]


@reads
def eager_with_a_condition(s: Session) -> Any:
    query = sa.select(Contact).options(selectinload(Contact.deals.and_(Deal.stage == "won")))
    return [(c.id, [d.id for d in c.deals]) for c in s.scalars(query)]


@reads
def eager_page(s: Session) -> Any:
    query = sa.select(Contact).options(joinedload(Contact.phones)).order_by(Contact.id).limit(4)
    return [(c.id, [p.id for p in c.phones]) for c in s.scalars(query).unique()]


@reads
def deferred_columns(s: Session) -> Any:
    return [(c.id, c.income, c.city) for c in s.scalars(sa.select(Contact).options(defer(Contact.income)))]


@reads
def a_part_of_the_columns(s: Session) -> Any:
    query = sa.select(Contact).options(load_only(Contact.name), undefer(Contact.city))
    return [(c.name, c.income) for c in s.scalars(query)]


@reads
def a_computed_column(s: Session) -> Any:
    return [c.deals_open for c in s.scalars(sa.select(DealTally))]


@reads
def a_hybrid(s: Session) -> Any:
    return s.scalars(sa.select(Contact.shout).where(Contact.shout.like("%1%"))).all()


@reads
def expired(s: Session) -> Any:
    found = s.scalars(sa.select(Contact)).all()
    s.expire_all()
    return [(c.id, c.name, c.income) for c in found]


@reads
def refreshed(s: Session) -> Any:
    found = s.scalars(sa.select(Contact).limit(3).order_by(Contact.id)).all()
    for contact in found:
        s.refresh(contact)
    return found


@reads
def populated_again(s: Session) -> Any:
    s.scalars(sa.select(Deal)).all()
    return s.scalars(sa.select(Deal).execution_options(populate_existing=True)).all()


@reads
def an_old_style_query(s: Session) -> Any:
    return s.query(Deal).filter_by(stage="open").order_by(Deal.id).all()


@reads
def an_old_style_count(s: Session) -> Any:
    return s.query(Contact).filter(Contact.city == "Cluj").count()


@reads
def streamed(s: Session) -> Any:
    return list(s.scalars(sa.select(Deal).execution_options(yield_per=7)))


@reads
def a_bundle_of_entities(s: Session) -> Any:
    return s.execute(sa.select(Deal, Contact).join(Deal.contact)).all()


@reads
def values_beside_a_table(s: Session) -> Any:
    if s.get_bind().dialect.name == "sqlite":
        return None
    some = sa.values(sa.column("n", sa.Integer), name="some").data([(1,), (4,), (5,), (8,)])
    return s.execute(sa.select(Contact.name).join(some, some.c.n == Contact.id)).all()


@reads
def every_id_in_one_text(s: Session) -> Any:
    text = sa.func.aggregate_strings(sa.cast(Deal.id, sa.String), ",")
    return sorted((s.scalar(sa.select(text)) or "").split(","))


@reads
def locked_rows(s: Session) -> Any:
    return s.scalars(sa.select(Deal).where(Deal.id < 20).with_for_update()).all()


@reads
def the_same_statement_again(s: Session) -> Any:
    query = sa.select(Contact.id).where(Contact.id > sa.bindparam("least"))
    return [s.scalars(query, {"least": n}).all() for n in (1, 10, 20)]


@reads
def notes_with_their_contact(s: Session) -> Any:
    on = sa.and_(Note.record_type == "contact", Note.record_id == Contact.id)
    return s.execute(sa.select(Note.words, Contact.name).join(Contact, on)).all()


@pytest.mark.parametrize("shape", READS, ids=lambda shape: shape.__name__)
def test_a_read_gives_what_the_twin_gives(world: sa.Engine, twin: sa.Engine, eyes: Eyes, shape: Read) -> None:
    with UnitOfWork(twin) as uow:
        expected = unordered(shape(uow.system))
    with UnitOfWork(world, eyes.policy, ME) as uow:
        assert unordered(shape(uow.user)) == expected


def test_the_shapes_are_many() -> None:
    assert len(READS) >= 80
    assert len(WRITES) + len(HARMFUL) >= 20


# --- refused ----------------------------------------------------------------------------------------------------------


def create_a_tag(s: Session) -> None:
    s.add(Tag(name="new"))
    s.flush()


REFUSED: dict[str, Callable[[Session], Any]] = {
    "text SQL": lambda s: s.execute(sa.text("SELECT * FROM contact")),
    "entities from text": lambda s: s.scalars(sa.select(Contact).from_statement(sa.text("SELECT * FROM contact"))),
    "columns from text": lambda s: s.execute(sa.text("SELECT id FROM contact").columns(sa.column("id"))),
    "text in a condition": lambda s: s.scalars(sa.select(Contact).where(sa.text("1=1"))),
    "text in an order": lambda s: s.scalars(sa.select(Contact).order_by(sa.text("(SELECT 1)"))),
    "a subquery in a literal column": lambda s: s.scalars(sa.select(sa.literal_column("(SELECT word FROM vault)"))),
    "a name in a literal column": lambda s: s.scalars(sa.select(sa.literal_column("income")).select_from(contacts)),
    "a prefix": lambda s: s.scalars(sa.select(Contact.id).prefix_with("(SELECT word FROM vault),")),
    "a suffix": lambda s: s.scalars(sa.select(Contact.id).suffix_with("UNION SELECT id FROM vault")),
    "a hint": lambda s: s.scalars(sa.select(Contact.id).with_statement_hint("UNION SELECT id FROM vault")),
    "a hint of a table": lambda s: s.scalars(sa.select(Contact.id).with_hint(Contact, ", vault")),
    "an invented operator": lambda s: s.scalars(
        sa.select(Contact.id).where(Contact.name.op("= (SELECT word FROM vault) OR")("x"))
    ),
    "an unquoted name": lambda s: s.execute(
        sa.select(sa.column(sa.sql.quoted_name("(SELECT word FROM vault)", quote=False))).select_from(contacts)
    ),
    "a function that is not on the list": lambda s: s.scalar(sa.select(sa.func.pg_read_file("/etc/passwd"))),
    "a function of a schema": lambda s: s.scalar(sa.select(sa.func.pg_catalog.count())),
    "a function as a table": lambda s: s.execute(sa.select(sa.func.query_to_xml("x").table_valued("y"))),
    "a table without a rule": lambda s: s.execute(sa.select(vault)),
    "a table without a rule in a subquery": lambda s: s.scalars(
        sa.select(Contact.id).where(Contact.name.in_(sa.select(vault.c.word)))
    ),
    "a table of the rules": lambda s: s.execute(sa.select(team_member)),
    "a lightweight table without a rule": lambda s: s.execute(sa.select(sa.table("vault", sa.column("word")))),
    "a table by another case": lambda s: s.execute(sa.select(sa.table("CONTACT", sa.column("id")))),
    "a table of a schema": lambda s: s.execute(sa.select(sa.table("contact", sa.column("id"), schema="main"))),
    "an expression named as a table of the rules": lambda s: s.execute(
        sa.select(sa.select(sa.literal(11).label("team_id"), sa.literal(1).label("user_id")).cte("core_team_member"))
    ),
    "the driver's connection": lambda s: s.connection().connection,
    "driver SQL": lambda s: s.connection().exec_driver_sql("SELECT 1"),
    "a connection of the engine": lambda s: s.get_bind().engine.connect(),
    "a raw connection of the engine": lambda s: s.get_bind().engine.raw_connection(),
    "a commit of the connection": lambda s: s.connection().commit(),
    "a definition": lambda s: s.execute(sa.schema.DropTable(contacts)),
    "a new table": lambda s: s.execute(sa.schema.CreateTable(sa.Table("x", sa.MetaData(), sa.Column("y", sa.Integer)))),
    "a sequence": lambda s: s.scalar(sa.Sequence("deal_id_seq")),
    "an upsert": lambda s: s.execute(
        {"sqlite": sqlite, "postgresql": postgresql}[s.get_bind().dialect.name]
        .insert(deals)
        .values(id=2, name="x", stage="x", amount=1, owner_id=ME, version=1)
        .on_conflict_do_update(index_elements=["id"], set_={"owner_id": ME})
    ),
    "a change inside a select": lambda s: s.execute(
        sa.select(sa.update(deals).values(stage="x").returning(deals.c.id).cte("changed"))
    ),
    "a row of a table that may not be created": create_a_tag,
}


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_what_has_no_rule_is_refused(world: sa.Engine, statement: Callable[[Session], Any]) -> None:
    with UnitOfWork(world, EYES[1].policy, ME) as uow, pytest.raises(NotAllowed):
        statement(uow.user)


# --- writes -----------------------------------------------------------------------------------------------------------

WRITES: list[Read] = []
HARMFUL: list[Read] = []


def writes(shape: Read) -> Read:
    WRITES.append(shape)
    return shape


def harmful(shape: Read) -> Read:
    HARMFUL.append(shape)
    return shape


def one(s: Session, model: type[Any]) -> Any:
    """A row that the user sees."""
    return s.scalars(sa.select(model).order_by(model.id).limit(1)).one()


@writes
def change_records(s: Session) -> None:
    for deal in s.scalars(sa.select(Deal).where(Deal.stage == "open")):
        deal.stage = "won"


@writes
def create_a_record(s: Session) -> None:
    s.add(Deal(name="Deal 1", stage="new", amount=Decimal(5), owner_id=ME, team_id=11))


@writes
def create_with_children(s: Session) -> None:
    person = Contact(id=900, name="Person 1", city="Cluj", owner_id=ME, team_id=11)
    person.phones = [Phone(number="1"), Phone(number="2", calls=[Call(seconds=5)])]
    s.add(person)


@writes
def add_a_child(s: Session) -> None:
    contact = one(s, Contact)
    contact.phones.append(Phone(number="new"))


@writes
def remove_a_child(s: Session) -> None:
    contact = s.scalars(sa.select(Contact).join(Contact.phones).order_by(Contact.id)).first()
    assert contact is not None
    s.execute(sa.delete(Call))
    contact.phones.clear()


@writes
def tag_a_deal(s: Session) -> None:
    deal = one(s, Deal)
    deal.tags = [s.get_one(Tag, 1), s.get_one(Tag, 3)]


@writes
def delete_records(s: Session) -> None:
    for call in s.scalars(sa.select(Call).where(Call.seconds > 20)):
        s.delete(call)


@writes
def attach_a_note(s: Session) -> None:
    s.add(Note(record_type="deal", record_id=one(s, Deal).id, words="hello"))


@writes
def remark_on_a_deal(s: Session) -> None:
    s.add(Remark(about=RecordRef("crm.deal", one(s, Deal).id), words="hello"))


@writes
def change_remarks(s: Session) -> None:
    s.execute(sa.update(Remark).values(words="hello"))


@writes
def change_many(s: Session) -> None:
    s.execute(sa.update(Deal).values(stage="x"))


@writes
def change_many_by_a_condition(s: Session) -> None:
    s.execute(sa.update(Deal).where(Deal.amount > 100).values(amount=Deal.amount + 1))


@writes
def change_many_by_a_subquery(s: Session) -> None:
    s.execute(sa.update(Deal).where(Deal.contact_id.in_(sa.select(Contact.id))).values(name=Deal.name + "!"))


@writes
def change_many_from_another_table(s: Session) -> None:
    s.execute(sa.update(deals).where(deals.c.contact_id == contacts.c.id).values(name=contacts.c.name))


@writes
def change_many_from_the_same_table(s: Session) -> None:
    other = deals.alias("other")
    s.execute(sa.update(deals).where(deals.c.id == other.c.id + 1).values(stage=other.c.stage))


@writes
def change_many_to_a_subquery(s: Session) -> None:
    number = sa.select(sa.cast(sa.func.count(), sa.Text)).select_from(contacts).scalar_subquery()
    s.execute(sa.update(deals).values(stage=number))


@writes
def change_children(s: Session) -> None:
    s.execute(sa.update(Phone).values(number="x"))


@writes
def change_through_the_connection(s: Session) -> None:
    s.connection().execute(sa.update(notes).values(words="x"))


@writes
def change_with_returning(s: Session) -> None:
    s.execute(sa.update(Deal).values(stage="y").returning(Deal.id)).all()


@writes
def change_by_key_in_bulk(s: Session) -> None:
    keys = s.scalars(sa.select(Deal.id).where(Deal.stage == "won")).all()
    s.execute(sa.update(Deal), [{"id": key, "name": "bulk", "version": 1} for key in keys])


@writes
def change_mappings_in_bulk(s: Session) -> None:
    s.bulk_update_mappings(Phone, [{"id": key, "number": "bulk"} for key in s.scalars(sa.select(Phone.id))])


@writes
def delete_many(s: Session) -> None:
    s.execute(sa.delete(Call))


@writes
def delete_many_by_a_condition(s: Session) -> None:
    s.execute(sa.delete(Note).where(Note.record_type == "deal"))


@writes
def delete_from_the_association(s: Session) -> None:
    s.execute(sa.delete(deal_tag).where(deal_tag.c.tag_id == 2))


@writes
def delete_many_the_old_way(s: Session) -> None:
    s.query(Call).filter(Call.seconds < 30).delete()


RULED = ("contact", "phone", "call", "deal", "deal_tag", "note", "remark", "tag")


class Undone(Exception):
    """Ends a unit of work without a commit, so that the next test finds the same rows."""


def state_of(session: Session) -> dict[str, set[str]]:
    return {
        name: {repr(tuple(row)) for row in session.execute(sa.select(Base.metadata.tables[name]))} for name in RULED
    }


def without_keys(state: dict[str, set[str]]) -> dict[str, list[str]]:
    """New rows get other ids in the world than in its smaller twin."""
    return {name: sorted(row.partition(",")[2] for row in rows) for name, rows in state.items() if name != "call"} | {
        "call": [str(len(state["call"]))]
    }


@pytest.mark.parametrize("shape", WRITES, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("eyes", EYES[:2], ids=lambda eyes: eyes.name, indirect=True, scope="module")
def test_a_write_changes_what_it_changes_in_the_twin(
    world: sa.Engine, twin: sa.Engine, eyes: Eyes, shape: Read
) -> None:
    with suppress(Undone), UnitOfWork(twin, write=True) as uow:
        shape(uow.system)
        uow.flush()
        expected = state_of(uow.system)
        raise Undone
    with suppress(Undone), UnitOfWork(world, eyes.policy, ME, write=True) as uow:
        seen_before, before = state_of(uow.user), state_of(uow.system)
        shape(uow.user)
        uow.flush()
        seen_after, after = state_of(uow.user), state_of(uow.system)
        raise Undone
    assert without_keys(seen_after) == without_keys(expected)
    for name in RULED:
        unseen = before[name] - seen_before[name]
        assert unseen == after[name] - seen_after[name], f"rows of {name} that are not visible were changed"


@harmful
def give_a_record_away(s: Session) -> None:
    deal = one(s, Deal)
    deal.owner_id, deal.team_id = 2, 20


@harmful
def create_for_somebody_else(s: Session) -> None:
    s.add(Deal(name="x", stage="x", amount=Decimal(1), owner_id=2, team_id=20))


@harmful
def create_for_nobody(s: Session) -> None:
    s.add(Contact(name="x", city="x"))


@harmful
def create_a_child_of_a_foreign_record(s: Session) -> None:
    s.add(Phone(contact_id=1, number="x"))


@harmful
def create_a_grandchild_of_a_foreign_record(s: Session) -> None:
    s.add(Call(phone_id=30, seconds=1))


@harmful
def move_a_child_to_a_foreign_record(s: Session) -> None:
    phone = one(s, Phone)
    phone.contact_id = 1


@harmful
def attach_to_a_foreign_record(s: Session) -> None:
    s.add(Note(record_type="deal", record_id=2, words="x"))


@harmful
def attach_to_an_unknown_type(s: Session) -> None:
    s.add(Note(record_type="letter", record_id=1, words="x"))


@harmful
def reattach_to_a_foreign_record(s: Session) -> None:
    note = one(s, Note)
    note.record_type, note.record_id = "contact", 1


@harmful
def remark_on_a_foreign_record(s: Session) -> None:
    s.add(Remark(about=RecordRef("crm.deal", 2), words="x"))


@harmful
def remark_on_an_unknown_type(s: Session) -> None:
    s.add(Remark(about=RecordRef("crm.letter", 1), words="x"))


@harmful
def remark_on_nothing(s: Session) -> None:
    s.add(Remark(words="x"))


@harmful
def remark_on_a_foreign_contact_about_an_own_deal(s: Session) -> None:
    s.add(Remark(contact_id=1, about=RecordRef("crm.deal", one(s, Deal).id), words="x"))


@harmful
def point_a_remark_at_a_foreign_record(s: Session) -> None:
    remark = Remark(about=RecordRef("crm.deal", one(s, Deal).id), words="x")
    s.add(remark)
    s.flush()
    remark.about = RecordRef("crm.contact", 1)


@harmful
def give_many_away(s: Session) -> None:
    s.execute(sa.update(Deal).values(owner_id=2))


@harmful
def take_many(s: Session) -> None:
    s.execute(sa.update(Deal).where(Deal.owner_id != ME).values({"owner_id": ME}))


@harmful
def give_away_by_the_core(s: Session) -> None:
    s.connection().execute(sa.update(deals).values({deals.c.owner_id: 2}))


@harmful
def give_away_by_ordered_values(s: Session) -> None:
    s.execute(sa.update(deals).ordered_values((deals.c.owner_id, 2)))


@harmful
def give_away_by_parameters(s: Session) -> None:
    s.connection().execute(sa.update(deals).where(deals.c.id == sa.bindparam("key")), {"key": 5, "owner_id": 2})


@harmful
def give_away_in_bulk(s: Session) -> None:
    s.execute(sa.update(Deal), [{"id": 5, "owner_id": 2, "version": 1}])


@harmful
def give_mappings_away_in_bulk(s: Session) -> None:
    s.bulk_update_mappings(Deal, [{"id": 5, "owner_id": 2, "version": 1}])


@harmful
def create_in_bulk(s: Session) -> None:
    s.execute(sa.insert(Deal), [{"name": "x", "stage": "x", "amount": Decimal(1), "owner_id": 2}])


@harmful
def create_by_the_core(s: Session) -> None:
    s.execute(sa.insert(deals).values(name="x", stage="x", amount=1, owner_id=2, version=1))


@harmful
def create_from_a_select(s: Session) -> None:
    s.execute(sa.insert(phones).from_select(["contact_id", "number"], sa.select(sa.literal(1), sa.literal("x"))))


@harmful
def create_mappings_in_bulk(s: Session) -> None:
    s.bulk_insert_mappings(Phone, [{"contact_id": 1, "number": "x"}])


@harmful
def create_objects_in_bulk(s: Session) -> None:
    s.bulk_save_objects([Phone(contact_id=1, number="x")])


@harmful
def tag_a_foreign_deal(s: Session) -> None:
    s.execute(deal_tag.insert().values(deal_id=2, tag_id=4))


@harmful
def change_a_foreign_record_by_its_key(s: Session) -> None:
    deal = Deal(id=2, name="x", stage="x", amount=Decimal(1), owner_id=ME, version=1)
    make_transient_to_detached(deal)
    s.add(deal)
    deal.name = "mine"


@harmful
def merge_a_foreign_record(s: Session) -> None:
    s.merge(Contact(id=1, name="mine", city="x", owner_id=ME, team_id=11))


@harmful
def delete_a_foreign_record_by_its_key(s: Session) -> None:
    call = Call(id=29, phone_id=30, seconds=1)
    make_transient_to_detached(call)
    s.add(call)
    s.delete(call)


def forged(s: Session, model: type[Any], **values: Any) -> Any:
    """A foreign row as an object that claims to be mine, without having been read."""
    row = model(owner_id=ME, team_id=11, **values)
    make_transient_to_detached(row)
    s.add(row)
    return row


@harmful
def change_forged_records(s: Session) -> None:
    for key in (2, 3):
        forged(s, Deal, id=key, name="x", stage="x", amount=Decimal(1), version=1).name = "mine"


@harmful
def change_a_forged_record_without_version(s: Session) -> None:
    for key in (1, 2):
        forged(s, Contact, id=key, name="x", city="x").name = "mine"


@harmful
def change_only_the_children_of_a_forged_record(s: Session) -> None:
    forged(s, Contact, id=1, name="x", city="x").phones = [Phone(number="x")]


@harmful
def tag_a_forged_record(s: Session) -> None:
    forged(s, Deal, id=2, name="x", stage="x", amount=Decimal(1), version=1).tags = [s.get_one(Tag, 4)]


@harmful
def add_only_lines_to_a_forged_record(s: Session) -> None:
    deal = forged(s, Deal, id=2, name="x", stage="x", amount=Decimal(1), version=1)
    deal.taggings.append(Tagging(tag_id=4))


@harmful
def delete_forged_records(s: Session) -> None:
    for key in (2, 3):
        s.delete(forged(s, Deal, id=key, name="x", stage="x", amount=Decimal(1), contact_id=None, version=1))


@harmful
def delete_a_forged_record_without_version(s: Session) -> None:
    s.delete(forged(s, Contact, id=1, name="x", city="x", parent_id=None))


@harmful
def create_for_whom_the_database_says(s: Session) -> None:
    s.add(Deal(name="x", stage="x", amount=Decimal(1), owner_id=sa.literal(2) + 0))


@harmful
def give_to_whom_the_database_says(s: Session) -> None:
    deal = one(s, Deal)
    deal.owner_id, deal.team_id = sa.literal(2) + 0, None


@harmful
def change_the_key_of_a_record(s: Session) -> None:
    s.execute(sa.update(Note).values(id=Note.id + 500))


@pytest.mark.parametrize("shape", HARMFUL, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("eyes", EYES[:2], ids=lambda eyes: eyes.name, indirect=True, scope="module")
def test_a_harmful_write_is_refused(world: sa.Engine, eyes: Eyes, shape: Read) -> None:
    with (  # noqa: PT012 - the block is one unit of work
        pytest.raises((NotAllowed, StaleDataError, IntegrityError)),
        UnitOfWork(world, eyes.policy, ME, write=True) as uow,
    ):
        shape(uow.user)
        uow.flush()
        raise Undone


def test_who_may_create_a_record_but_not_change_it_creates_its_lines(world: sa.Engine) -> None:
    line = Through("contact_id", "contact")
    policy = Policy(
        Base.metadata,
        {"contact": TableRule(read=Own(), insert=Own()), "phone": TableRule(line, line, line, insert=True)},
    )
    with suppress(Undone), UnitOfWork(world, policy, ME, write=True) as uow:
        uow.user.add(Contact(name="x", city="x", owner_id=ME, phones=[Phone(number="1")]))
        uow.user.flush()
        uow.user.add(Phone(contact_id=1, number="2"))
        with pytest.raises(NotAllowed):
            uow.user.flush()
        raise Undone


def test_a_rule_that_goes_round_in_a_circle_is_found(world: sa.Engine) -> None:
    circle = Policy(Base.metadata, {"contact": TableRule(read=Through("parent_id", "contact"))})
    with UnitOfWork(world, circle, ME) as uow, pytest.raises(ConfigurationError, match="circle"):
        uow.user.scalars(sa.select(Contact))


def test_a_rule_of_an_unknown_table_or_column_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        Policy(Base.metadata, {"nowhere": TableRule()})
    with pytest.raises(ConfigurationError, match="salary"):
        Policy(Base.metadata, {"contact": TableRule(hidden=frozenset({"salary"}))})
