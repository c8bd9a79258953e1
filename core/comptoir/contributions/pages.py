"""Pages and addresses of the API that a plugin adds to those of its record types."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from comptoir.contributions.contribution import Contribution
from comptoir.i18n import Text, _

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PATH = re.compile(r"(/[a-z0-9_.-]+|/\{[a-z_]+\})+")


@dataclass(frozen=True, slots=True)
class View(Contribution):
    """A page below ``/<plugin>``: ``function`` is called with the visit and the parts of the path in braces.

    ``/calls/{id}`` calls ``function(visit, id=7)``: a part named ``id`` is the number of a record, any other a text.
    A page states the permission that it needs, or that it is ``public``: then its visit is that of somebody with no
    right at all, who sees and changes nothing but through ``visit.context.as_system(reason)``.
    """

    path: str
    function: Callable[..., Any]
    permission: str | None = None
    public: bool = False
    methods: tuple[str, ...] = ("GET",)

    @property
    def only_once(self) -> Hashable:
        """Its path and methods."""
        return (self.path, self.methods)

    def faults(self, plugin: str) -> Iterator[Text]:
        """A path or method that cannot be, and a page that does not say who may see it."""
        yield from _address_faults(self.path, self.methods)
        if (self.permission is None) != self.public:
            yield _("The page {path} must state a permission, or that it is public.", path=self.path)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that an address of the API takes; ``type`` is str, int, bool, Decimal, date or datetime."""

    name: str
    type: type
    label: Text = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Route(Contribution):
    """An address of the API below ``/api/v1/<plugin>``, described in its OpenAPI document.

    ``function(ctx, values)`` gets the parts of the path in braces and the parameters in ``takes``, read from the query
    string of a GET or DELETE and from the JSON body otherwise; what it returns is the JSON of the answer, None answers
    204.  ``gives`` is the JSON Schema of the answer.
    """

    method: str
    path: str
    function: Callable[..., Any]
    permission: str
    summary: Text = ""
    takes: tuple[Parameter, ...] = ()
    gives: Mapping[str, Any] = field(default_factory=dict)

    @property
    def only_once(self) -> Hashable:
        """Its method and path."""
        return (self.method, self.path)

    def faults(self, plugin: str) -> Iterator[Text]:
        """A path, method or parameter that cannot be."""
        yield from _address_faults(self.path, (self.method,))
        for parameter in self.takes:
            if parameter.type not in TYPES:
                yield _(
                    "The parameter {name} of {path} is of type {type}. Known: {known}.",
                    name=parameter.name,
                    path=self.path,
                    type=getattr(parameter.type, "__name__", parameter.type),
                    known=", ".join(known.__name__ for known in TYPES),
                )


TYPES: Mapping[type, Mapping[str, str]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    Decimal: {"type": "string", "pattern": r"^-?[0-9]{1,14}(\.[0-9]{1,4})?$"},
    dt.date: {"type": "string", "format": "date"},
    dt.datetime: {"type": "string", "format": "date-time"},
}
"""What a parameter may be, with its JSON Schema."""


def _address_faults(path: str, methods: tuple[str, ...]) -> Iterator[Text]:
    if not PATH.fullmatch(path):
        yield _("The path {path} must look like /calls or /calls/{{id}}.", path=path)
    for method in methods:
        if method not in METHODS:
            yield _("{path}: there is no method {method}. Known: {known}.", path=path, method=method, known=", ".join(METHODS))  # fmt: skip
