"""A deployment of any size in seconds: rows written in bulk by the system, as valid as if they had been saved one by one."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, Table, insert, select, text

from comptoir.access.models import Role, RolePermission, Team, UserRole
from comptoir.access.permissions import raise_access_stamp
from comptoir.access.sessions import open_session
from comptoir.access.teams import rebuild_closure, set_main_team
from comptoir.access.tokens import create_token
from comptoir.access.users import add_user
from comptoir.base.models import Contact, ContactAddress, ContactEmail, ContactPhone, Interaction
from comptoir.context import Context
from comptoir.db.engine import WRITE
from comptoir.db.gate import opened
from comptoir.db.types import Json, fold
from comptoir.deployment import Deployment
from comptoir.modules.life_cycle import enable_modules, initialise
from comptoir.records.history import HistoryEntry
from comptoir.records.search import departures, mend
from comptoir.records.summaries import mend_summary
from comptoir.settings import load_settings
from comptoir_catalog.models import Product
from comptoir_sales.models import Deal, PipelineStage

CHUNK = 10_000
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
FIRST_NAMES = [
    "Ana",
    "Andrei",
    "Ioana",
    "Mihai",
    "Elena",
    "Radu",
    "Ștefan",
    "Maria",
    "Sanne",
    "Daan",
    "Emma",
    "Bram",
    "Lotte",
    "Sem",
    "Zofia",
    "Jakub",
    "Łukasz",
    "Agnieszka",
    "Piotr",
    "Ivan",
    "Georgi",
    "Elitsa",
    "Dimitar",
    "Nigar",
    "Elvin",
    "Aysel",
    "Rəşad",
    "Leyla",
    "Günel",
    "Kamran",
]
LAST_NAMES = [
    "Mureșan",
    "Popescu",
    "Ionescu",
    "Țuțuianu",
    "Georgescu",
    "Stan",
    "de",
    "Vries",
    "Jansen",
    "Bakker",
    "Visser",
    "Smit",
    "Nowak",
    "Kowalski",
    "Wiśniewska",
    "Wójcik",
    "Kamiński",
    "Ivanov",
    "Petrova",
    "Dimitrov",
    "Georgiev",
    "Əliyev",
    "Məmmədov",
    "Hüseynova",
    "Quliyev",
    "Həsənov",
    "Dobre",
    "Marin",
]
TRADES = [
    "Transport",
    "Construct",
    "Agro",
    "Textil",
    "Metal",
    "Energy",
    "Print",
    "Foods",
    "Optics",
    "Soft",
    "Pharma",
    "Lumber",
    "Ceramics",
    "Hotels",
]
FORMS = ("SRL", "BV", "SA", "EOOD", "MMC", "Sp. z o.o.", "NV")
PLACES = (
    ("Cluj-Napoca", "Romania", "+4072"), ("Iași", "Romania", "+4074"), ("Timișoara", "Romania", "+4075"),
    ("Utrecht", "Netherlands", "+3161"), ("Eindhoven", "Netherlands", "+3162"), ("Kraków", "Poland", "+4860"),
    ("Łódź", "Poland", "+4850"), ("Plovdiv", "Bulgaria", "+35988"), ("Bakı", "Azerbaijan", "+99450"),
)  # fmt: skip
SECTORS = ("retail", "industry", "services", "health", "education", "logistics")
STATUSES = ("new", "cold", "cold", "cold", "warm", "warm", "regular", "regular", "vip")
PRODUCTS = 12
BUSY_CONTACT = 77
"""The contact whose page is measured: ten more deals, ten notes and a history of its own."""


ORDER = (Product, Contact, ContactPhone, ContactEmail, ContactAddress, Interaction, Deal, HistoryEntry)
"""In which tables are written: parents before what points at them."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A filled deployment and the keys to it."""

    config: Path
    url: str
    contacts: int
    token: str
    """Of a manager whose roles see every record through the teams below theirs."""
    session: str
    csrf: str

    def open(self) -> Deployment:
        """The deployment in this process."""
        return Deployment.open(self.config)


def configure(folder: Path, url: str, *, hosts: tuple[str, ...] = (), name: str = "bench") -> Path:
    """A configuration file for a database."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    lines = [
        "[deployment]", f'name = "{name}"', f'database_url = "{url}"', f'data_dir = "{folder / "data"}"',
        'timezone = "Europe/Bucharest"', 'currency = "EUR"',
    ]  # fmt: skip
    if hosts:
        lines += ["[server]", f"hosts = [{', '.join(repr(host) for host in hosts)}]"]
    path.write_text("\n".join(lines) + "\n")
    return path


def fill(folder: Path, url: str, contacts: int) -> Filled:
    """Create the tables, enable every first-party module, and write contacts and as many deals."""
    config = configure(folder, url)
    deployment = Deployment(load_settings(config))
    try:
        initialise(deployment)
        enable_modules(deployment, ["catalog", "sales"])
        with deployment.system_context("benchmark") as ctx:
            owners, token, session, csrf = _people(ctx, deployment)
            stages = (
                ctx.bookkeeping("test")
                .execute(
                    select(PipelineStage.code, PipelineStage.kind, PipelineStage.pipeline_id).order_by(PipelineStage.id)
                )
                .all()
            )
        writer = _Writer(deployment)
        writer.write(Product, _products())
        writer.write_together(_contacts(contacts, owners))
        writer.write_together(_deals(contacts, owners, [tuple(row) for row in stages]))
        writer.index()
        writer.finish()
    finally:
        deployment.close()
    return Filled(config, url, contacts, token, session, csrf)


def _people(ctx: Context, deployment: Deployment) -> tuple[list[tuple[int, int]], str, str, str]:
    """Three teams of sellers under one, and their manager; gives (user, team) of the sellers and the manager's keys."""
    session, now = ctx.bookkeeping("test"), ctx.now()

    def team(name: str, parent: int | None) -> Team:
        row = Team(name=name, parent_id=parent, created_at=now, updated_at=now, custom={}, search_key=fold(name))
        session.write([row], "benchmark")
        return row

    head = team("Sales", None)
    teams = [team(f"Region {number}", head.id) for number in (1, 2, 3)]
    rebuild_closure(session)
    sellers = []
    for number in range(9):
        seller = add_user(session, name=f"Seller {number}", email=None, now=now, team=teams[number % 3])
        sellers.append((seller.id, teams[number % 3].id))
    manager = add_user(session, name="Mara Manager", email="manager@example.com", now=now, team=head)
    set_main_team(session, manager)
    role = Role(name="Benchmark manager")
    session.add(role)
    session.flush()
    for permission in deployment.registry.permissions:
        if permission != "core.admin":
            session.add(RolePermission(role_id=role.id, permission=permission, scope="team"))
    session.add(UserRole(user_id=manager.id, role_id=role.id))
    raise_access_stamp(session)
    session.flush()
    token, _row = create_token(session, manager, "benchmark", (), now)
    cookie, opened = open_session(session, manager, now, remember=True)
    return sellers, token, cookie, opened.csrf_token


def _shared(record_id: int, owner: tuple[int, int], key: str) -> dict[str, Any]:
    """The columns of every record."""
    made = NOW - dt.timedelta(minutes=record_id % 1_000_000)
    return {
        "id": record_id, "owner_id": owner[0], "team_id": owner[1], "created_at": made, "created_by": owner[0],
        "updated_at": made, "updated_by": owner[0], "search_key": key,
    }  # fmt: skip


def _products() -> Iterator[dict[str, Any]]:
    for number in range(1, PRODUCTS + 1):
        row = _shared(number, (None, None), f"product {number} p{number}")  # type: ignore[arg-type]
        yield row | {"name": f"Product {number}", "code": f"P{number}", "price": Decimal(100 * number)}


def contact_name(chance: random.Random, number: int) -> tuple[str, str]:
    """A kind of contact and a name."""
    if number % 3:
        return "person", f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}"
    return "company", f"{chance.choice(LAST_NAMES)} {chance.choice(TRADES)} {chance.choice(FORMS)}"


def phone_of(number: int) -> str:
    """The number of a contact, in E.164; no two have the same."""
    return f"{PLACES[number % len(PLACES)][2]}{number:07d}"


def _contacts(count: int, owners: list[tuple[int, int]]) -> Iterator[tuple[type, dict[str, Any]]]:
    chance = random.Random(7)
    for number in range(1, count + 1):
        kind, name = contact_name(chance, number)
        city, country, _prefix = PLACES[number % len(PLACES)]
        phone, email = phone_of(number), f"c{number}@example.com"
        digits = f"{phone[1:]} 0{phone[-9:]}"
        owner = owners[number % len(owners)]
        row = _shared(number, owner, fold(f"{name} {city} {phone} {digits} {email}"))
        yield Contact, row | {
            "name": name, "name_key": fold(name), "kind": kind, "status": chance.choice(STATUSES),
            "parent_id": number - number % 3 if kind == "person" and number % 5 == 0 and number > 3 else None,
            "sector": chance.choice(SECTORS), "source": "import", "city": city, "country": country, "currency": "EUR",
            "annual_revenue": Decimal(chance.randrange(10_000, 9_000_000)), "tax_number": f"T{number:08d}",
        }  # fmt: skip
        line = {"contact_id": number, "position": 0, "label": "work"}
        yield ContactPhone, line | {"number": phone, "digits": digits}
        yield ContactEmail, line | {"address": email, "address_key": email}
        if number % 2:
            yield ContactAddress, line | {"label": "main", "city": city, "country": country, "street": "Street 1"}
        yield HistoryEntry, _history("base.contact", number, owner[0], row["created_at"], {"name": [None, name]})
    for number in range(10):
        busy = min(BUSY_CONTACT, count)
        note = _shared(number + 1, owners[0], f"note {number}")
        yield Interaction, note | {
            "kind": "note", "subject": f"Note {number}", "contact_id": busy, "happened_at": NOW, "body": "A long talk.",
        }  # fmt: skip
        yield HistoryEntry, _history("base.contact", busy, owners[0][0], NOW, {"city": ["Iași", "Cluj-Napoca"]})


def _history(kind: str, number: int, user: int, at: dt.datetime, changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "record_type": kind, "record_id": number, "action": "created", "at": at, "user_id": user,
        "actor": "Import", "changes": changes,
    }  # fmt: skip


def _deals(
    count: int, owners: list[tuple[int, int]], stages: list[tuple[Any, ...]]
) -> Iterator[tuple[type, dict[str, Any]]]:
    chance = random.Random(8)
    today = NOW.date()
    for number in range(1, count + 11):
        code, kind, pipeline = chance.choice(stages)
        opened = today - dt.timedelta(days=chance.randrange(30, 700))
        closed = opened + dt.timedelta(days=chance.randrange(5, 90)) if kind != "open" else None
        contact = number if number <= count else min(BUSY_CONTACT, count)
        name = f"Deal {number}"
        yield Deal, _shared(number, owners[number % len(owners)], fold(name)) | {
            "name": name, "contact_id": contact, "product_id": 1 + number % PRODUCTS, "pipeline_id": pipeline,
            "stage": code, "outcome": kind, "amount": Decimal(chance.randrange(100, 900_000)) / 10, "currency": "EUR",
            "opened_on": opened, "closed_on": closed, "expected_close_on": opened + dt.timedelta(days=60),
            "stage_since": NOW, "cycle_days": (closed - opened).days if closed else None,
        }  # fmt: skip


class _Writer:
    """Writes rows with every column filled: `COPY` on PostgreSQL, many at a time on SQLite."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._engine = deployment.engine.execution_options(**{WRITE: True})
        self._tables: set[Table] = set()

    def write(self, model: Any, rows: Iterable[dict[str, Any]]) -> None:
        """Rows of one table."""
        self.write_together((model, row) for row in rows)

    def write_together(self, rows: Iterator[tuple[Any, dict[str, Any]]]) -> None:
        """Rows of several tables, each table's in their order, parents before what points at them."""
        while chunk := list(islice(rows, 5 * CHUNK)):
            by_model: dict[Any, list[dict[str, Any]]] = {model: [] for model in ORDER}
            for model, row in chunk:
                by_model[model].append(row)
            with self._engine.begin() as connection:
                for model, held in by_model.items():
                    if held:
                        self._insert(connection, model.__table__, held)

    def _insert(self, connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
        self._tables.add(table)
        standards = {column.key: _standard(column) for column in table.columns}
        given = [name for name in standards if name != "id" or "id" in rows[0]]
        if connection.dialect.name == "sqlite":
            with opened("filling a benchmark"):
                connection.execute(
                    insert(table), [{name: row.get(name, standards[name]) for name in given} for row in rows]
                )
            return
        wrapped = {name for name in given if isinstance(table.c[name].type, Json)}
        cursor = connection.connection.cursor()
        with cursor.copy(f"COPY {table.name} ({', '.join(given)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(
                    [
                        Jsonb(row.get(name, standards[name])) if name in wrapped else row.get(name, standards[name])
                        for name in given
                    ]
                )
        cursor.close()

    def index(self) -> None:
        """Let the search find what no save has written, and the summaries count it."""
        for declared in self._deployment.registry.record_types.values():
            with self._deployment.system_context("benchmark") as ctx:
                for departure in departures(ctx, declared):
                    mend(ctx, departure)
                for summary in declared.declaration.summaries:
                    mend_summary(ctx, declared.model, summary)

    def finish(self) -> None:
        """Let the database know its rows: where its numbers go on, and how its values are spread."""
        with self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                for table in self._tables:
                    connection.execute(
                        text(
                            "select setval(pg_get_serial_sequence(:name, 'id'), (select max(id) from "
                            + table.name
                            + "))"
                        ),
                        {"name": table.name},
                    )
                connection.commit()
                connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("vacuum analyze"))
            else:
                connection.execute(text("analyze"))
                connection.commit()


def _standard(column: Any) -> Any:
    default = column.default
    if default is None:
        return None
    return default.arg if default.is_scalar else default.arg(None)
