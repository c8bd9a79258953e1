"""What becomes of a refused batch: its violations are gathered, its records are as they were read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import LoaderCallableStatus, object_session
from sqlalchemy.orm.attributes import set_committed_value

from comptoir.db.fields import fields_of
from comptoir.db.light import is_light
from comptoir.db.record import Record
from comptoir.errors import ComptoirError, RuleViolation, RuleViolations


@contextmanager
def put_back_when_refused(records: Sequence[Record]) -> Iterator[None]:
    """What was refused must not be written by the next flush of the same unit of work: records are as they were read."""
    try:
        yield
    except ComptoirError:
        for record in records:
            session = None if is_light(record) else object_session(record)
            if session is None:
                continue
            for extension in record.__dict__.pop("_extensions", {}).values():
                _put_back(extension)
            for name, described in fields_of(type(record)).items():
                if described.kind.lined and name in record.__dict__:
                    for line in getattr(record, name):
                        _put_back(line)
                    session.expire(record, [name])
            _put_back(record)
        raise


def _put_back(row: Any) -> None:
    state: Any = inspect(row)
    if state.pending:
        state.session.expunge(row)
    for name, before in list(state.committed_state.items()) if state.persistent else ():
        if before is LoaderCallableStatus.NO_VALUE or name not in state.mapper.column_attrs:
            state.session.expire(row, [name])
        else:
            set_committed_value(row, name, before)


def gather(outcomes: Iterable[Any], violations: list[RuleViolation] | None = None) -> None:
    """Run checks one by one, keep all violations, raise them together; any other error passes through."""
    found = list(violations or [])
    for outcome in outcomes:
        try:
            outcome()
        except RuleViolation as violation:
            found.append(violation)
        except RuleViolations as several:
            found.extend(several.violations)
    if len(found) == 1:
        raise RuleViolations(found) if violations is not None else found[0]
    if found:
        raise RuleViolations(found)
