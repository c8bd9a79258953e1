"""Light rows: new records of a batch that cost a dictionary each, until somebody treats one as a mapped object.

A light row stands in for an object of its model: its class derives from the model, so hooks read it, assign to it and append
lines as ever.  It has none of SQLAlchemy's state.  Whoever asks for that state (a session, ``inspect``, an extension) has the
row turned into the mapped object in place, with all it holds, and from then on it is written like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, inspect
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapper, Session

from comptoir.db.base import standard_values
from comptoir.db.fields import fields_of

MANY = 20
"""So many rows are copied into PostgreSQL instead of inserted."""

_STORED_IN = "_stored_in"
"""Under this name a written row knows its session, to join it as what is there already."""


class Light:
    """A row without SQLAlchemy's state; not in the database yet."""

    __slots__ = ()

    @property
    def _sa_instance_state(self) -> Any:
        return _mapped(self)


class StoredLight(Light):
    """A light row that was written: reading is all that it allows before it is mapped, so that no assignment is lost."""

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        _mapped(self)
        setattr(self, name, value)

    def __delattr__(self, name: str) -> None:
        _mapped(self)
        delattr(self, name)


class _Unset:
    """A column that was not assigned; of the class it is the column of the model."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, row: Any, owner: Any) -> Any:
        return getattr(model_of(owner), self.name) if row is None else None


class _Lines(_Unset):
    """The lines of a row that has none yet."""

    def __get__(self, row: Any, owner: Any) -> Any:
        if row is None:
            return super().__get__(row, owner)
        return row.__dict__.setdefault(self.name, [])


class _LinesOfStored(_Unset):
    """The lines of a written row: they are a list that may be changed, so the row is mapped first."""

    def __get__(self, row: Any, owner: Any) -> Any:
        if row is not None:
            _mapped(row)
        return super().__get__(row, owner) if row is None else getattr(row, self.name)

    def __set__(self, row: Any, value: Any) -> None:
        _mapped(row)
        setattr(row, self.name, value)


def model_of(kind: type) -> type:
    """The mapped class that a class of light rows stands in for, or the class itself."""
    mapper = getattr(kind, "__mapper__", None)
    model: type = kind if mapper is None else mapper.class_
    return model


def is_light(row: Any) -> bool:
    """Whether it is a new row that nobody has made a mapped object so far, nor one of its lines."""
    return isinstance(row, Light) and not isinstance(row, StoredLight)


def lines_of(row: Any) -> Iterator[Any]:
    """The lines that a light row holds so far."""
    for name, field in fields_of(type(row)).items():
        if field.kind.lined:
            yield from row.__dict__.get(name, ())


def new_line(record: Any, model: type) -> Any:
    """A line for a record, as light as the record is."""
    return light_row(model) if is_light(record) else model()


def light_row(model: type) -> Any:
    """A new row of a model with its columns at their defaults."""
    row: Any = object.__new__(_class_of(model, Light))
    row.__dict__.update(standard_values(model))
    return row


def insert_rows(connection: Connection, session: Session, rows: Sequence[Any]) -> None:
    """Write light rows of one model at once, each under a new id; from now on they are what the session has stored."""
    model = model_of(type(rows[0]))
    blank = _blank(model)
    for row, row_id in zip(rows, _new_ids(connection, _table(model), len(rows)), strict=True):
        held = row.__dict__
        for name in blank.keys() - held.keys():
            held[name] = blank[name]()
        held["id"] = row_id
    insert_values(connection, model, list(map(vars, rows)), names=("id", *blank))
    for row in rows:
        row.__dict__[_STORED_IN] = session
        row.__class__ = _class_of(model, StoredLight)


def insert_values(
    connection: Connection, model: type, rows: Sequence[Mapping[str, Any]], *, names: tuple[str, ...]
) -> None:
    """Write rows of values by attribute, column by column; what is not named is left to the database."""
    form = _form_of(model, names, connection.dialect)
    columns = zip(*map(itemgetter(*names), rows), strict=True)
    bound = [_bound(column, process) for column, process in zip(columns, form.processes, strict=True)]
    _write(connection, form, list(zip(*bound, strict=True)))


class _Form(NamedTuple):
    """How rows of a model are written to an engine: what the driver takes instead of each value, and the SQL."""

    processes: tuple[Callable[[Any], Any] | None, ...]
    insert: str
    copy: str | None
    """Of PostgreSQL, for many rows: it has to be begun and ended, which few do not repay."""


@lru_cache(maxsize=512)
def _form_of(model: type, names: tuple[str, ...], dialect: Dialect) -> _Form:
    columns = [_columns(model)[name] for name in names]
    processes = (column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns)
    quote = dialect.identifier_preparer
    into = f"{quote.format_table(_table(model))} ({', '.join(map(quote.format_column, columns))})"
    is_sqlite = dialect.name == "sqlite"
    places = ", ".join(["?" if is_sqlite else "%s"] * len(columns))
    insert = f"INSERT INTO {into} VALUES ({places})"  # noqa: S608 - bound
    return _Form(tuple(processes), insert, None if is_sqlite else f"COPY {into} FROM STDIN")


@cache
def _blank(model: type) -> Mapping[str, Callable[[], Any]]:
    """What stands for the attributes that are missing, by name."""
    return {name: _default(column) for name, column in _columns(model).items() if name != "id"}


@cache
def _columns(model: type) -> Mapping[str, Any]:
    """The columns of a model by attribute."""
    mapper: Mapper[Any] = inspect(model)
    return {attribute.key: attribute.columns[0] for attribute in mapper.column_attrs}


def _table(model: type) -> Any:
    return model.__table__  # type: ignore[attr-defined]


def _default(column: Any) -> Callable[[], Any]:
    default = column.default
    if default is None:
        return lambda: None
    return (lambda: default.arg(None)) if default.is_callable else lambda: default.arg


def _bound(values: Sequence[Any], process: Callable[[Any], Any] | None) -> Sequence[Any]:
    """The values of a column as the driver takes them; those that repeat themselves are converted once."""
    if process is None:
        return values
    try:
        known = {value: process(value) for value in set(values)}
    except TypeError:  # lists and dictionaries
        return [process(value) for value in values]
    return [known[value] for value in values]


def _new_ids(connection: Connection, table: Table, count: int) -> Sequence[int]:
    """Ids that nobody else takes: SQLite has one writer, PostgreSQL a sequence."""
    if connection.dialect.name == "sqlite":
        last: int = connection.exec_driver_sql(f"SELECT coalesce(max(id), 0) FROM {table.name}").scalar_one()  # noqa: S608 - a table
        return range(last + 1, last + count + 1)
    drawn = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
    return connection.exec_driver_sql(drawn, (table.name, count)).scalars().all()


def _write(connection: Connection, form: _Form, rows: Sequence[tuple[Any, ...]]) -> None:
    if form.copy is None or len(rows) < MANY:
        connection.exec_driver_sql(form.insert, list(rows))
        return
    driver: Any = connection.dialect.dbapi
    raw: Any = connection.connection
    with raw.cursor() as cursor:
        try:
            with cursor.copy(form.copy) as copy:
                for row in rows:
                    copy.write_row(row)
        except driver.Error as error:  # raised as that of any statement is: who listens for them hears of it
            connection._handle_dbapi_exception(error, form.copy, None, cursor, None)


@cache
def _class_of(model: type, kind: type[Light]) -> type:
    content: dict[str, Any] = {"__abstract__": True, "__module__": model.__module__, "__doc__": model.__doc__}
    content |= {name: _Unset(name) for name in _columns(model)}
    lines = _Lines if kind is Light else _LinesOfStored
    content |= {name: lines(name) for name, field in fields_of(model).items() if field.kind.lined}
    made = type(model)(model.__name__, (model, kind), content)  # the model first: the layout of objects is its own
    type.__setattr__(made, "_sa_class_manager", inspect(model).class_manager)  # asked about like the model
    return made


def _mapped(row: Any) -> Any:
    """Turn a row into the mapped object that it stands for; its state."""
    held: dict[str, Any] = row.__dict__
    model = model_of(type(row))
    session = held.pop(_STORED_IN, None)
    lines = {name: held.pop(name) for name, field in fields_of(model).items() if field.kind.lined and name in held}
    object.__setattr__(row, "__class__", model)
    inspect(model).class_manager.setup_instance(row)
    for name, rows in lines.items():
        setattr(row, name, rows)
    if session is not None:
        session.adopt(row)
    return held["_sa_instance_state"]
