"""The search table: one row for every record that can be found, whatever its type; beside it an index of its trigrams.

PostgreSQL keeps the trigrams as numbers in an array under GIN, which needs no extension; SQLite keeps them in FTS5, which
triggers keep in step. Neither folds letters: the texts here are folded already, and a hit is compared once more as text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from weakref import WeakSet

from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    event,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from comptoir.db.base import Base
from comptoir.db.fields import Id
from comptoir.db.record import Public, Record, record_name

HEAD = 40
"""So many characters at the beginning of a text stand under an index in order, to find what begins alike."""

MANY_GRAMS = 32
"""Of a long text so many trigrams are looked up; comparing the hit does the rest."""


class SearchEntry(Base):
    """What a record is found by; the rules of its own table decide who finds it."""

    __tablename__ = "core_search"
    __table_args__ = (
        UniqueConstraint("record_type", "record_id"),
        Index("ix_core_search_head", "head"),
        Index(
            "ix_core_search_grams",
            "grams",
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
            info={"dialect": "postgresql"},
        ).ddl_if(dialect="postgresql"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    record_type: Mapped[str] = mapped_column(String(80))
    record_id: Mapped[int] = mapped_column(Id)
    head: Mapped[str] = mapped_column(String(HEAD, collation="C").with_variant(String(HEAD), "sqlite"))
    key: Mapped[str] = mapped_column(Text)
    """The words of the record with one blank between them, before the first and behind the last."""
    grams: Mapped[list[int] | None] = mapped_column(ARRAY(Integer).with_variant(JSON(none_as_null=True), "sqlite"))
    """The trigrams of the key, on PostgreSQL."""
    owner_id: Mapped[int | None] = mapped_column(Id)
    team_id: Mapped[int | None] = mapped_column(Id)
    archived: Mapped[bool] = mapped_column(Boolean)


FTS = (
    """CREATE VIRTUAL TABLE core_search_fts USING fts5(
           key, content='core_search', content_rowid='id', tokenize='trigram case_sensitive 1', detail=none)""",
    """CREATE TRIGGER core_search_added AFTER INSERT ON core_search BEGIN
           INSERT INTO core_search_fts(rowid, key) VALUES (new.id, new.key);
       END""",
    """CREATE TRIGGER core_search_removed AFTER DELETE ON core_search BEGIN
           INSERT INTO core_search_fts(core_search_fts, rowid, key) VALUES ('delete', old.id, old.key);
       END""",
    """CREATE TRIGGER core_search_changed AFTER UPDATE OF key ON core_search WHEN old.key <> new.key BEGIN
           INSERT INTO core_search_fts(core_search_fts, rowid, key) VALUES ('delete', old.id, old.key);
           INSERT INTO core_search_fts(rowid, key) VALUES (new.id, new.key);
       END""",
)
"""The trigrams on SQLite. The old key in 'delete' must be the indexed one, so no program writes it."""

STATISTICS = "ALTER TABLE core_search ALTER COLUMN grams SET STATISTICS 1000"
"""PostgreSQL then knows which trigrams are common, and begins with the rare ones."""

_table: Any = SearchEntry.__table__


@event.listens_for(_table, "after_create")
def _create_beside(_target: Any, connection: Connection, **_options: Any) -> None:
    for statement in FTS if connection.dialect.name == "sqlite" else (STATISTICS,):
        connection.exec_driver_sql(statement)


@event.listens_for(_table, "before_drop")
def _drop_beside(_target: Any, connection: Connection, **_options: Any) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("DROP TABLE IF EXISTS core_search_fts")


# -- texts --------------------------------------------------------------------------------------------------------------

_BETWEEN_WORDS = re.compile(r"[\W_]+")
_DIGITS_IN_GROUPS = re.compile(r"(?<!\w)\d{1,5}(?:[ ()./-]+\d{1,5})+(?!\w)")
_CYRILLIC = re.compile("[\u0400-\u04ff]")

# folded letters: й is и and ё is е by then
_LATIN = str.maketrans(
    dict(zip("абвгдезиклмнопрстуфхыэъіј", "abvgdeziklmnoprstufhyeaij", strict=True))
    | {"ж": "zh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sht", "ю": "yu", "я": "ya", "ь": "", "є": "ye"}
)


def words_of(folded: str) -> str:
    """The letters and digits of a folded text, everything between them as one blank."""
    return _BETWEEN_WORDS.sub(" ", folded).strip()


def latin(words: str) -> str:
    """Cyrillic words in Latin letters, as Bulgarians write them on passports: ``софия`` gives ``sofia``."""
    return re.sub(r"ия\b", "ia", words).translate(_LATIN)


def key_of(search_key: str) -> str:
    """The text of a record in the search table: its words, Cyrillic ones in Latin letters too, grouped digits also in one."""
    words = words_of(search_key)
    if not words:
        return ""
    also = [word for word in words.split(" ") if _CYRILLIC.search(word)] if not words.isascii() else []
    joined = (words_of(found).replace(" ", "") for found in _DIGITS_IN_GROUPS.findall(search_key))
    return " ".join(["", words, *map(latin, also), *(number for number in joined if len(number) >= 6), ""])


def grams_of(text: str) -> list[int]:
    """The trigrams of a text as numbers; that two of them may share one costs no more than a comparison."""
    return [*{ord(a) * 961 + ord(b) * 31 + ord(c): None for a, b, c in zip(text, text[1:], text[2:], strict=False)}]


class Fragment(TypeDecorator[Any]):
    """A text whose trigrams are looked for: an array on PostgreSQL, an expression of FTS5 on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """An array of numbers, or text."""
        return dialect.type_descriptor(ARRAY(Integer) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The trigrams in the form that the engine's index compares."""
        if dialect.name == "postgresql":
            return grams_of(value)[:MANY_GRAMS]
        grams = dict.fromkeys(value[start : start + 3] for start in range(len(value) - 2))
        return " AND ".join(f'"{gram}"' for gram in list(grams)[:MANY_GRAMS])


class holds_grams(FunctionElement[bool]):  # noqa: N801 - a function of SQL
    """Whether an entry, given by its id and trigrams, may hold a `Fragment`; answered from the engine's index."""

    name = "holds_grams"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Any:
        """As it is: SQLite would compare it with 1, and then no index answers it."""
        return self


@compiles(holds_grams, "postgresql")
def _in_array(element: Any, compiler: Any, **options: Any) -> str:
    _id, grams, fragment = (compiler.process(part, **options) for part in element.clauses)
    return f"({grams} @> {fragment}::integer[])"


@compiles(holds_grams, "sqlite")
def _in_fts(element: Any, compiler: Any, **options: Any) -> str:
    id_, _grams, fragment = (compiler.process(part, **options) for part in element.clauses)
    return f"({id_} IN (SELECT rowid FROM core_search_fts WHERE core_search_fts MATCH {fragment}))"  # noqa: S608 - bound


def holds(entry: Any, fragment: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the entry may hold the fragment, a bound `Fragment` of at least three characters."""
    return holds_grams(entry.c.id, entry.c.grams, fragment)


_planned_anew: WeakSet[Any] = WeakSet()
"""The transactions that were told so already."""


def have_planned_anew(connection: Connection) -> None:
    """Let PostgreSQL plan each statement of this transaction for its values: a plan for any text would read the whole table."""
    transaction = connection.get_transaction()
    if connection.dialect.name == "postgresql" and transaction not in _planned_anew:
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_custom_plan")
        if transaction is not None:
            _planned_anew.add(transaction)


# -- writing ------------------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """What the search table keeps of a record; an empty search key keeps nothing."""

    record_type: str
    record_id: int
    search_key: str
    owner_id: int | None
    team_id: int | None
    archived: bool


def write_entries(connection: Connection, entries: Iterable[Entry]) -> None:
    """Add or replace the entries of records in the transaction of their change."""
    rows, gone = [], defaultdict(list)
    for entry in entries:
        if row := row_of(entry, connection.dialect.name):
            rows.append(row)
        else:
            gone[entry.record_type].append(entry.record_id)
    for record_type, ids in gone.items():
        forget_entries(connection, record_type, ids)
    if rows:
        connection.execute(_UPSERTS[connection.dialect.name], rows)


def entry_of(model: type[Record], row: Any) -> Entry:
    """The entry of a record, given itself or its columns; where everyone sees all of a type, owner and team stand for nothing."""
    owner, team = (None, None) if isinstance(model.__record__.visible, Public) else (row.owner_id, row.team_id)
    return Entry(record_name(model), row.id, row.search_key, owner, team, row.archived_at is not None)


def row_of(entry: Entry, dialect: str) -> dict[str, Any] | None:
    """The columns of an entry; None for a record with no words."""
    key = key_of(entry.search_key)
    if not key:
        return None
    return {
        "record_type": entry.record_type,
        "record_id": entry.record_id,
        "head": key[1 : HEAD + 1],
        "key": key,
        "grams": grams_of(key) if dialect == "postgresql" else None,
        "owner_id": entry.owner_id,
        "team_id": entry.team_id,
        "archived": entry.archived,
    }


def forget_entries(connection: Connection, record_type: str, ids: Collection[int] | None = None) -> None:
    """Remove the entries of deleted records, or of a whole record type."""
    if ids is None:
        connection.execute(delete(_table).where(_table.c.record_type == record_type))
    for some in _chunks(list(ids or ())):
        connection.execute(_FORGETTING, {"record_type": record_type, "ids": some})


def _chunks(ids: Sequence[int], size: int = 500) -> Iterator[Sequence[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _upsert(insert: Any) -> Any:
    statement = insert(_table)
    kept = ("head", "key", "grams", "owner_id", "team_id", "archived")
    return statement.on_conflict_do_update(
        index_elements=["record_type", "record_id"], set_={name: statement.excluded[name] for name in kept}
    )


_UPSERTS = {"postgresql": _upsert(insert_postgresql), "sqlite": _upsert(insert_sqlite)}
_FORGETTING = delete(_table).where(
    _table.c.record_type == bindparam("record_type"), _table.c.record_id.in_(bindparam("ids", expanding=True))
)
