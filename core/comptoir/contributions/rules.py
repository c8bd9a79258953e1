"""The rules of one record type: what is filled in, refused and followed when its records change."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comptoir.contributions.contribution import Contribution
from comptoir.db.record import Record
from comptoir.errors import RuleViolation
from comptoir.i18n import Text, _
from comptoir.records.changes import Change
from comptoir.values import RecordRef

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.db.workflow import Transition

TAKES = {
    "prepare": ("ctx", "changes"),
    "check": ("ctx", "changes"),
    "saved": ("ctx", "changes"),
    "check_deletion": ("ctx", "records"),
    "deleted": ("ctx", "refs"),
    "check_move": ("ctx", "record", "transition"),
    "moved": ("ctx", "record", "transition"),
}
"""The functions of a rule with what each is called with, in this order."""


@dataclass(frozen=True, slots=True)
class Rules(Contribution):
    """What happens when records of one type change; each function gets the whole batch of that type.

    Checks return or yield their violations, all of which are shown at once; they do not change anything.  With
    ``indispensable`` the records are rather not changed at all than unchecked: when the plugin fails again and again and
    is set aside, saving, moving and deleting them is refused until it is mended.
    """

    model: type[Record]
    prepare: Callable[[Context, Sequence[Change]], None] | None = None
    """Fills in what follows from the rest, before anything is checked: the only one that modifies the records."""
    check: Callable[[Context, Sequence[Change]], Iterable[RuleViolation]] | None = None
    saved: Callable[[Context, Sequence[Change]], None] | None = None
    """Writes what stands or falls with the change; identifiers are known, nothing is committed."""
    check_deletion: Callable[[Context, Sequence[Any]], Iterable[RuleViolation]] | None = None
    deleted: Callable[[Context, Sequence[RecordRef]], None] | None = None
    check_move: Callable[[Context, Any, Transition], Iterable[RuleViolation]] | None = None
    """Refuses that a record goes through a transition."""
    moved: Callable[[Context, Any, Transition], None] | None = None
    indispensable: bool = False

    def faults(self, plugin: str) -> Iterator[Text]:
        """Something else than a record type, rules without any function, functions that take something else."""
        if not (isinstance(self.model, type) and issubclass(self.model, Record)):
            yield _("Rules are for a record type, not for {model}.", model=repr(self.model)[:60])
            return
        given = {name: function for name in TAKES if (function := getattr(self, name)) is not None}
        if not given:
            yield _("The rules of {model} do nothing. Give them a function.", model=self.model.__name__)
        for name, function in given.items():
            if not _takes(function, len(TAKES[name])):
                yield _(
                    "The rules of {model}: {function} must take ({arguments}), as {name} is called with these.",
                    model=self.model.__name__,
                    function=getattr(function, "__name__", repr(function)),
                    arguments=", ".join(TAKES[name]),
                    name=name,
                )


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True
