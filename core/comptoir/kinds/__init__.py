"""One class for each kind of value: its column, its reading and writing, its checks, operators and description.

Whoever handles a value asks the kind of its field; nobody asks which kind it is.
"""

from comptoir.kinds.calendar import PERIODS, Day, Moment, is_period
from comptoir.kinds.cell import Cell, CellKind, FieldKind
from comptoir.kinds.choice import Country, Listed, StageOf, TimeZone
from comptoir.kinds.countries import country_code
from comptoir.kinds.kind import (
    EQUALITY,
    ORDER,
    Choice,
    Computed,
    Face,
    Field,
    Kind,
    Page,
    Reader,
    Source,
    as_text,
    unreadable,
)
from comptoir.kinds.number import MAX_ID, Boolean, Duration, Exact, Integer, Money, Percent
from comptoir.kinds.record import AnyRecord, Children, Id, Reference, is_id
from comptoir.kinds.roles import OF_LINES, ROLES, Role
from comptoir.kinds.text import Currency, Email, LongText, Phone, Plain, Tags, Text, Url, is_dialable

__all__ = [
    "EQUALITY",
    "MAX_ID",
    "OF_LINES",
    "ORDER",
    "PERIODS",
    "ROLES",
    "AnyRecord",
    "Boolean",
    "Cell",
    "CellKind",
    "Children",
    "Choice",
    "Computed",
    "Country",
    "Currency",
    "Day",
    "Duration",
    "Email",
    "Exact",
    "Face",
    "Field",
    "FieldKind",
    "Id",
    "Integer",
    "Kind",
    "Listed",
    "LongText",
    "Moment",
    "Money",
    "Page",
    "Percent",
    "Phone",
    "Plain",
    "Reader",
    "Reference",
    "Role",
    "Source",
    "StageOf",
    "Tags",
    "Text",
    "TimeZone",
    "Url",
    "as_text",
    "country_code",
    "is_dialable",
    "is_id",
    "is_period",
    "unreadable",
]
