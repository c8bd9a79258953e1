"""The bare server: the same queries, the same JSON or the same table; no sign-in, roles, hooks or history.

Started by gunicorn as ``benchmarks.floor.server:create_app()`` with the database's address in ``FLOOR_DATABASE_URL``.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import orjson
from flask import Flask, Response, render_template, request
from sqlalchemy import Engine, and_, bindparam, insert, or_, select, text, update

from comptoir.access.models import User
from comptoir.base.models import Contact, ContactEmail, ContactPhone, Interaction
from comptoir.db.engine import WRITE, create_engine
from comptoir_sales.models import Deal

CONTACT: Any = Contact.__table__
PHONE: Any = ContactPhone.__table__
EMAIL: Any = ContactEmail.__table__
INTERACTION: Any = Interaction.__table__
DEAL: Any = Deal.__table__
USER: Any = User.__table__

LISTED = (
    CONTACT.c.id,
    CONTACT.c.version,
    CONTACT.c.name,
    CONTACT.c.kind,
    CONTACT.c.status,
    CONTACT.c.parent_id,
    CONTACT.c.city,
    CONTACT.c.country,
    CONTACT.c.owner_id,
    CONTACT.c.created_at,
)
KEYS = tuple(column.key for column in LISTED)
COLUMNS = ("Name", "Kind", "Status", "Part of", "City", "Country", "Owner")

PAGE = select(*LISTED).where(CONTACT.c.archived_at.is_(None)).order_by(CONTACT.c.name, CONTACT.c.id).limit(81)
NEXT_PAGE = PAGE.where(
    CONTACT.c.name >= bindparam("name"),
    or_(CONTACT.c.name > bindparam("name"), and_(CONTACT.c.name == bindparam("name"), CONTACT.c.id > bindparam("id"))),
)
TITLES = select(CONTACT.c.id, CONTACT.c.name).where(CONTACT.c.id.in_(bindparam("ids", expanding=True)))
OWNERS = select(USER.c.id, USER.c.name).where(USER.c.id.in_(bindparam("ids", expanding=True)))
BY_PHONE = (
    select(*LISTED)
    .where(
        CONTACT.c.archived_at.is_(None),
        CONTACT.c.id.in_(select(PHONE.c.contact_id).where(PHONE.c.number == bindparam("number"))),
    )
    .order_by(CONTACT.c.id)
)
ONE = select(CONTACT).where(CONTACT.c.id == bindparam("id"))
PHONES = select(PHONE).where(PHONE.c.contact_id == bindparam("id"))
EMAILS = select(EMAIL).where(EMAIL.c.contact_id == bindparam("id"))
DEALS = select(DEAL).where(DEAL.c.contact_id == bindparam("id")).order_by(DEAL.c.id.desc()).limit(10)
NOTES = (
    select(INTERACTION)
    .where(INTERACTION.c.contact_id == bindparam("id"))
    .order_by(INTERACTION.c.happened_at.desc())
    .limit(10)
)
CHANGED = (
    update(CONTACT).where(CONTACT.c.id == bindparam("of")).values(city=bindparam("to"), updated_at=bindparam("at"))
)

MONTHS = {
    "sqlite": "strftime('%Y-%m', closed_on)",
    "postgresql": "to_char(closed_on, 'YYYY-MM')",
}
PIPELINE = """
select stage, {month} as month, count(*) as number, sum(amount) as amount
from sales_deal where archived_at is null group by 1, 2 order by 1, 2
"""


def create_app() -> Flask:
    """The bare application."""
    return build(create_engine(os.environ["FLOOR_DATABASE_URL"]))


def build(engine: Engine) -> Flask:
    """The bare application on an engine."""
    app = Flask(__name__)
    pipeline = text(PIPELINE.format(month=MONTHS[engine.dialect.name]))

    @app.get("/contacts")
    def contacts() -> Response:
        with engine.connect() as connection:
            after = {name: request.args[name] for name in ("name", "id") if name in request.args}
            rows = connection.execute(NEXT_PAGE if after else PAGE, after).all()
        page = [dict(zip(KEYS, row, strict=True)) for row in rows[:80]]
        following = {"name": page[-1]["name"], "id": page[-1]["id"]} if len(rows) > 80 else None
        return as_json({"data": page, "next": following})

    @app.get("/contacts.html")
    def table() -> str:
        with engine.connect() as connection:
            rows = connection.execute(PAGE).all()[:80]
            parents = {row.parent_id for row in rows if row.parent_id is not None}
            titles = names(connection.execute(TITLES, {"ids": list(parents)}))
            owners = names(connection.execute(OWNERS, {"ids": list({row.owner_id for row in rows})}))
        return render_template("list.html", columns=COLUMNS, rows=rows, titles=titles, owners=owners)

    @app.get("/contacts/<int:contact_id>")
    def contact(contact_id: int) -> Response:
        with engine.connect() as connection:
            parts = {
                name: [dict(row) for row in connection.execute(statement, {"id": contact_id}).mappings()]
                for name, statement in (
                    ("contact", ONE), ("phones", PHONES), ("emails", EMAILS), ("deals", DEALS), ("notes", NOTES),
                )
            }  # fmt: skip
        return as_json(parts)

    @app.get("/phone")
    def by_phone() -> Response:
        with engine.connect() as connection:
            rows = connection.execute(BY_PHONE, {"number": request.args["number"]}).all()
        return as_json({"data": [dict(zip(KEYS, row, strict=True)) for row in rows]})

    @app.get("/pipeline")
    def totals() -> Response:
        with engine.connect() as connection:
            rows = connection.execute(pipeline).mappings().all()
        return as_json({"data": [dict(row) for row in rows]})

    @app.post("/contacts")
    def create() -> Response:
        sent = orjson.loads(request.get_data())
        now = dt.datetime.now(dt.UTC)
        values = {
            "name": sent["name"],
            "name_key": sent["name"].lower(),
            "search_key": sent["name"].lower(),
            "kind": "company",
            "status": "new",
            "city": sent["city"],
            "country": sent["country"],
            "created_at": now,
            "updated_at": now,
            "custom": {},
        }
        with writing(engine) as connection:
            created = connection.execute(insert(CONTACT).returning(CONTACT.c.id), values).scalar_one()
            connection.execute(
                insert(PHONE), {"contact_id": created, "label": "work", "number": sent["phone"], "position": 0}
            )
            connection.execute(
                insert(EMAIL), {"contact_id": created, "label": "work", "address": sent["email"], "position": 0}
            )
        return as_json({"id": created, **values}, 201)

    @app.patch("/contacts/<int:contact_id>")
    def change(contact_id: int) -> Response:
        sent = orjson.loads(request.get_data())
        now = dt.datetime.now(dt.UTC)
        with writing(engine) as connection:
            held = dict(connection.execute(ONE, {"id": contact_id}).mappings().one())
            connection.execute(CHANGED, {"of": contact_id, "to": sent["city"], "at": now})
        return as_json(held | {"city": sent["city"], "updated_at": now})

    return app


def names(rows: Iterable[Any]) -> dict[int, str]:
    """What is called how."""
    return {row.id: row.name for row in rows}


def writing(engine: Engine) -> Any:
    """A transaction that writes, begun as Comptoir begins its own."""
    return engine.execution_options(**{WRITE: True}).begin()


def as_json(content: object, status: int = 200) -> Response:
    """A JSON answer, amounts as text."""
    return Response(orjson.dumps(content, default=plain), status, content_type="application/json")


def plain(value: object) -> str:
    """What JSON has no type for."""
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)
