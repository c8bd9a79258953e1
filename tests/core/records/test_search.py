"""The search over all record types: what is found, in which order, by whom, and that the table stays in step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, select, text, update

from comptoir.access.models import User
from comptoir.access.users import ACCOUNTS, add_user, rename_user
from comptoir.base.models import Contact, ContactPhone, Task
from comptoir.context import Context
from comptoir.db.gate import opened
from comptoir.db.search import SearchEntry
from comptoir.deployment import Deployment
from comptoir.modules.fingerprint import fingerprint
from comptoir.modules.life_cycle import pause_modules
from comptoir.modules.uninstall import uninstall_modules
from comptoir.records.query import Compare, Query, run
from comptoir.records.search import departures, is_index_sound, mend, mend_index, search
from comptoir.records.write import archive, delete, restore, save
from comptoir.registry.schema import core_unit
from comptoir.testing.platform import Stage
from comptoir_sales.models import Deal, Lead

pytestmark = pytest.mark.modules("catalog", "sales")

READER = {"base.contact.read": "own", "sales.deal.read": "team", "sales.lead.read": "all"}


def titles(ctx: Context, words: str, *, size: int = 20) -> list[str]:
    """What a search finds, best first, by the names of the records."""
    return [
        found.declared.title_of(ctx.session.get_one(found.declared.model, id_))
        for found in search(ctx, words, size=size)
        for id_ in found.ids
    ]


def departing(ctx: Context) -> int:
    """How many entries of the search table depart from the records."""
    return sum(len(part) for declared in ctx.registry.record_types.values() for part in departures(ctx, declared))


# -- what is found --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "mega", "ega", "gaf", "MEGA FRUCT", "fruct mega", "Țuică", "tuica", "şi", "me", "&", "fruct & țui", "ra bu",
        "0722000111", "722 000", "+40 (0)722 000 111", "0040 722 000 111", "tel:+40722000111", "(0722) 000-111", "000111", "000/111",
        "sofia", "София", "софи", "ofi",
    ],
)  # fmt: skip
def test_any_fragment_finds_a_contact(ctx: Context, words: str) -> None:
    phone = ContactPhone(number="0722 000 111")
    save(ctx, [Contact(name="Megafruct & Țuică și Ra-Bu", city="София", phones=[phone]), Contact(name="Else")])
    expected = [] if words == "&" else ["Megafruct & Țuică și Ra-Bu"]
    assert titles(ctx, words) == expected


def test_two_letters_stand_at_the_beginning_of_a_word(ctx: Context) -> None:
    save(ctx, [Contact(name="Maria Pop"), Contact(name="Sorin Map"), Contact(name="Toma")])
    assert titles(ctx, "ma") == ["Maria Pop", "Sorin Map"]
    contacts = ctx.registry.record_type(Contact)
    assert len(run(ctx, contacts, Query(text="ma")).rows) == 2


def test_cyrillic_words_find_what_is_written_in_latin_letters(ctx: Context) -> None:
    save(ctx, [Contact(name="Maria"), Contact(name="Мария")])
    assert titles(ctx, "мария") == ["Мария", "Maria"]
    assert titles(ctx, "maria") == ["Maria", "Мария"]


def test_a_number_written_in_groups_is_found_in_one(ctx: Context) -> None:
    save(ctx, [Lead(name="Caller", phone="044-20/79 46.09")])
    assert titles(ctx, "2079460") == ["Caller"]


@pytest.mark.parametrize(
    "words", ['"', "NEAR(", 'a"b*', "key:mega", "%%%", "___", "AND", "mega\x00", "\\", "'", "ega" * 60]
)
def test_no_text_is_a_command(ctx: Context, words: str) -> None:
    save(ctx, [Contact(name="Mega")])
    assert titles(ctx, words) in ([], ["Mega"])


def test_what_begins_so_comes_first_then_what_is_shorter(ctx: Context) -> None:
    names = ["The Old Mega Fruct", "Mega Fruct International", "Omega", "Mega"]
    save(ctx, [Contact(name=name) for name in names])
    assert titles(ctx, "mega") == ["Mega", "Mega Fruct International", "Omega", "The Old Mega Fruct"]


def test_many_hits_of_one_type_hide_none_of_another(ctx: Context) -> None:
    save(ctx, [Contact(name=f"Apollo {number}") for number in range(300)])
    save(ctx, [Task(title="Write to the people of a certain company called Apollo before noon")])
    found = {group.declared.name: group for group in search(ctx, "apollo")}
    assert (found["base.contact"].count, found["base.contact"].more, len(found["base.contact"].ids)) == (20, True, 5)
    assert (found["base.task"].count, found["base.task"].more) == (1, False)


def test_a_search_asks_one_statement_for_all_types(ctx: Context) -> None:
    save(ctx, [Contact(name="Apollo"), Task(title="Apollo")])
    sent: list[str] = []
    connection = ctx.session.connection()
    event.listen(connection, "before_cursor_execute", lambda *given: sent.append(given[2]))
    assert {found.declared.name for found in search(ctx, "apollo")} == {"base.contact", "base.task"}
    assert len([statement for statement in sent if statement.startswith("SELECT")]) == 1


# -- the index is used ----------------------------------------------------------------------------------------------------


def test_a_fragment_is_looked_up_in_an_index(ctx: Context) -> None:
    sent: list[tuple[str, Any]] = []
    save(ctx, [Contact(name=f"Apollo {number}") for number in range(40)])
    connection = ctx.bookkeeping("test").connection()
    event.listen(connection, "before_cursor_execute", lambda *given: sent.append((given[2], given[3])))
    run(ctx, ctx.registry.record_type(Contact), Query(text="pollo 31"))
    run(ctx, ctx.registry.record_type(Contact), Query(where=Compare("name", "contains", "pollo 31")))
    search(ctx, "pollo 31")
    statements = [pair for pair in sent if "core_search" in pair[0]]
    assert len(statements) == 3
    if connection.dialect.name == "postgresql":  # few rows are read whole, or by their type
        connection.execute(text("ALTER TABLE core_search DROP CONSTRAINT uq_core_search_record_type_record_id"))
        connection.execute(text("SET LOCAL enable_seqscan = off"))
    for statement, values in statements:
        if connection.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            assert "VIRTUAL TABLE INDEX" in str(plan)
            assert "SEARCH core_search USING INTEGER PRIMARY KEY" in str(plan)
            assert "SCAN core_search'" not in str(plan)
        else:
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", values).all()
            assert "ix_core_search_grams" in str(plan)


def test_what_begins_with_the_text_is_found_by_its_order_alone(ctx: Context) -> None:
    """Candidates of a frequent word are many; they are collected once a search, not once more for the beginnings."""
    sent: list[str] = []
    save(ctx, [Contact(name="Apollo")])
    connection = ctx.session.connection()
    event.listen(connection, "before_cursor_execute", lambda *given: sent.append(given[2]))
    assert titles(ctx, "apollo") == ["Apollo"]
    looked_up = "core_search_fts MATCH" if connection.dialect.name == "sqlite" else "grams @>"
    assert [statement.count(looked_up) for statement in sent if "core_search.head" in statement] == [1]


def test_postgresql_plans_a_search_for_its_words(ctx: Context) -> None:
    connection = ctx.bookkeeping("test").connection()
    if connection.dialect.name != "postgresql":
        pytest.skip("SQLite has no generic plans")
    shown = text("SHOW plan_cache_mode")
    contacts = ctx.registry.record_type(Contact)
    run(ctx, contacts, Query(where=Compare("name", "contains", "ap")))
    assert connection.scalar(shown) == "auto"
    run(ctx, contacts, Query(where=Compare("name", "contains", "apo")))
    assert connection.scalar(shown) == "force_custom_plan"


# -- who finds it ---------------------------------------------------------------------------------------------------------


def test_nobody_finds_what_they_may_not_see(stage: Stage, make_user: Callable[..., User]) -> None:
    north, south = stage.team("North"), stage.team("South")
    ana = make_user("Ana", grants=READER, team=north)
    ben = make_user("Ben", grants=READER, team=north)
    eve = make_user("Eve", grants={"base.contact.read": "own"}, team=south)
    with stage.system() as ctx:
        mine = [Contact(name=f"Apollo {user.name}", owner_id=user.id, team_id=user.team_id) for user in (ana, ben, eve)]
        save(ctx, [*mine, Contact(name="Apollo nobody"), Task(title="Apollo task", owner_id=ana.id)])
        save(ctx, [Deal(name="Apollo deal", contact_id=mine[1].id, owner_id=ben.id, team_id=north.id)])
        save(ctx, [Lead(name="Apollo lead", owner_id=ben.id)])
    with stage.acting(ana) as ctx:
        assert set(titles(ctx, "apollo")) == {"Apollo Ana", "Apollo deal", "Apollo lead"}
        assert [found.count for found in search(ctx, "apollo")] == [1, 1, 1]
    with stage.acting(eve) as ctx:
        assert titles(ctx, "apollo") == ["Apollo Eve"]
        assert ctx.session.scalars(select(SearchEntry.key).where(SearchEntry.record_type == "sales.deal")).all() == []


def test_copies_of_owner_and_team_open_nothing(stage: Stage, make_user: Callable[..., User]) -> None:
    ana = make_user("Ana", grants=READER)
    ben = make_user("Ben", grants=READER)
    with stage.system() as ctx:
        save(ctx, [Contact(name="Apollo", owner_id=ben.id)])
        ctx.session.execute(update(SearchEntry).values(owner_id=ana.id))
    with stage.acting(ana) as ctx:
        assert search(ctx, "apollo") == []


def test_a_new_owner_finds_the_record_and_the_old_one_no_more(stage: Stage, make_user: Callable[..., User]) -> None:
    ana, ben = make_user("Ana", grants=READER), make_user("Ben", grants=READER)
    with stage.system() as ctx:
        contact = Contact(name="Apollo", owner_id=ana.id)
        save(ctx, [contact])
        contact.owner_id = ben.id
        save(ctx, [contact])
    with stage.acting(ben) as ctx:
        assert titles(ctx, "apollo") == ["Apollo"]
    with stage.acting(ana) as ctx:
        assert search(ctx, "apollo") == []


# -- in step --------------------------------------------------------------------------------------------------------------


def test_the_table_follows_every_change(ctx: Context) -> None:
    contact = Contact(name="Apollo", phones=[ContactPhone(number="0722 000 111")])
    save(ctx, [contact])
    contact.name = "Zephyr"
    save(ctx, [contact])
    assert (titles(ctx, "apollo"), titles(ctx, "zephyr")) == ([], ["Zephyr"])
    contact.phones = []
    save(ctx, [contact])
    assert titles(ctx, "0722000111") == []
    archive(ctx, [contact])
    assert titles(ctx, "zephyr") == []
    restore(ctx, [contact])
    assert titles(ctx, "zephyr") == ["Zephyr"]
    assert departing(ctx) == 0
    delete(ctx, [contact])
    assert titles(ctx, "zephyr") == []
    assert departing(ctx) == 0


def test_people_and_teams_are_found(stage: Stage, ctx: Context) -> None:
    user = add_user(ctx.bookkeeping("test"), name="Ana Pop", email=None, now=ctx.now())
    rename_user(user, "Ana Zamfir")
    ctx.bookkeeping("test").write([user], ACCOUNTS)
    assert titles(ctx, "zamfir") == ["Ana Zamfir"]
    assert titles(ctx, "pop") == []


def test_a_change_that_nobody_searches_by_leaves_the_table_alone(ctx: Context) -> None:
    contact = Contact(name="Apollo")
    save(ctx, [contact])
    sent: list[str] = []
    event.listen(ctx.bookkeeping("test").connection(), "before_cursor_execute", lambda *given: sent.append(given[2]))
    contact.employees = 12
    save(ctx, [contact])
    assert not [statement for statement in sent if "core_search" in statement]


def test_a_departure_is_seen_and_mended(ctx: Context) -> None:
    contacts = [Contact(name=name) for name in ("Apollo", "Zephyr", "Boreas")]
    save(ctx, contacts)
    session = ctx.bookkeeping("test")
    with opened("test"):
        session.execute(text("UPDATE base_contact SET search_key = 'hermes' WHERE name = 'Apollo'"))
        session.execute(text("DELETE FROM core_search WHERE head LIKE 'zephyr%'"))
        session.execute(text("DELETE FROM base_contact WHERE name = 'Boreas'"))
    declared = ctx.registry.record_type(Contact)
    found = list(departures(ctx, declared, size=2))
    assert sum(map(len, found)) == 3
    for departure in found:
        mend(ctx, departure)
    assert departing(ctx) == 0
    assert titles(ctx, "hermes") == ["Apollo"]
    assert titles(ctx, "boreas") == []


def test_a_damaged_index_is_seen_and_built_anew(ctx: Context) -> None:
    save(ctx, [Contact(name="Apollo")])
    session = ctx.bookkeeping("test")
    assert is_index_sound(session)
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("INSERT INTO core_search_fts(core_search_fts) VALUES ('delete-all')"))
        assert not is_index_sound(session)
        assert mend_index(session)
    assert not mend_index(session)
    assert titles(ctx, "apollo") == ["Apollo"]


def test_the_migration_fills_the_table_from_every_module(ctx: Context) -> None:
    contact = Contact(name="Apollo")
    save(ctx, [contact, Contact(name="Zephyr", archived_at=ctx.now()), Lead(name="Apollo lead")])
    add_user(ctx.bookkeeping("test"), name="Apollo user", email=None, now=ctx.now())
    connection = ctx.bookkeeping("test").connection()
    connection.execute(text("DELETE FROM core_search"))
    assert departing(ctx) > 0
    core_unit().script().get_revision("comptoir_search").module._fill(connection)
    assert departing(ctx) == 0
    assert set(titles(ctx, "apollo")) == {"Apollo", "Apollo lead", "Apollo user"}


# -- modules --------------------------------------------------------------------------------------------------------------


def test_a_paused_module_is_not_found_and_an_uninstalled_one_leaves_nothing(deployment: Deployment) -> None:
    with deployment.system_context("test") as ctx:
        contact = Contact(name="Apollo")
        save(ctx, [contact])
        save(ctx, [Deal(name="Apollo deal", contact_id=contact.id)])
        assert len(search(ctx, "apollo")) == 2
    before = fingerprint(deployment, excluding="sales")
    pause_modules(deployment, ["sales"])
    with deployment.system_context("test") as ctx:
        assert titles(ctx, "apollo") == ["Apollo"]
    outcome = uninstall_modules(deployment, ["sales"])
    assert outcome.untouched
    with deployment.system_context("test") as ctx:
        kinds = ctx.session.scalars(select(SearchEntry.record_type).distinct()).all()
        assert not [kind for kind in kinds if kind.startswith("sales.")]
    assert before.rows["core_search"] == fingerprint(deployment, excluding="sales").rows["core_search"]
