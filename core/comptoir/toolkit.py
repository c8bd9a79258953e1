"""The one module that a plugin imports: everything it may use of the platform, flat and by theme."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from comptoir import kinds
from comptoir.access.guard import me as reader_id
from comptoir.access.models import Team, User
from comptoir.context import Context
from comptoir.contributions import (
    Action,
    Backoff,
    Board,
    Command,
    Composer,
    Contribution,
    DeferredWork,
    Fact,
    Form,
    Job,
    Kpi,
    List,
    Manifest,
    MenuItem,
    Panel,
    Parameter,
    Permission,
    Progress,
    RoleTemplate,
    Route,
    Rules,
    Saved,
    ScreenAddition,
    Screens,
    Section,
    Step,
    Steps,
    Tab,
    Tile,
    View,
    When,
)
from comptoir.db.base import Base
from comptoir.db.fields import (
    Choice,
    Face,
    any_record,
    boolean,
    choice,
    computed,
    country,
    currency,
    date,
    decimal,
    duration,
    email,
    field,
    integer,
    lines,
    long_text,
    moment,
    money,
    percent,
    phone,
    reference,
    stage,
    tags,
    text,
    time_zone,
    url,
)
from comptoir.db.migrations import record_columns
from comptoir.db.record import (
    Extension,
    Line,
    Public,
    Record,
    RecordType,
    Scoped,
    Through,
    belongs_to,
    extends,
    record_name,
)
from comptoir.db.summary import Summary
from comptoir.db.types import Json, MoneyType, RecordRefType, UtcDateTime, fold
from comptoir.db.workflow import Stage, Transition, Workflow
from comptoir.errors import (
    NotAllowed,
    NotFound,
    RuleViolation,
    RuleViolations,
    WriteRefused,
)
from comptoir.formats import Formats
from comptoir.hookspecs.marker import hookimpl, hookspec
from comptoir.i18n import LANGUAGES, Text, _, ngettext
from comptoir.jobs.outbox import defer
from comptoir.jobs.queue import Recoverable
from comptoir.kinds import country_code
from comptoir.records.changes import Change, changes_of, of_type
from comptoir.records.history import history_of
from comptoir.records.query import (
    All,
    Any_,
    Compare,
    Filter,
    Not,
    Query,
    aggregate,
    and_also,
    count,
    load,
    run,
    titles,
    to_pairs,
    where,
)
from comptoir.records.write import archive, assign, delete, move, restore, save
from comptoir.registry.people import give_role
from comptoir.reports import (
    Answer,
    Average,
    Count,
    Dimension,
    Figure,
    Measure,
    Median,
    Period,
    PeriodChange,
    Pivot,
    Ratio,
    Report,
    ReportColumn,
    ReportResult,
    Running,
    Share,
    Sum,
    Weighted,
    named_period,
    run_pivot,
)
from comptoir.schedules import Daily, Every, Monthly, Weekly
from comptoir.values import Amount, RecordRef

if TYPE_CHECKING:
    from comptoir.web.session import Visit
    from comptoir.web.views import PublicVisit, page, part, redirect

PAGES = {"Visit": "session", "PublicVisit": "views", "page": "views", "part": "views", "redirect": "views"}
"""What is imported from `comptoir.web` at its first use: work and commands, which show no page, start sooner without it."""


def __getattr__(name: str) -> Any:
    if name not in PAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"comptoir.web.{PAGES[name]}"), name)


# declaring: tables, fields, stages
__all__ = [
    "Base",
    "Choice",
    "Extension",
    "Face",
    "Json",
    "Line",
    "MoneyType",
    "Public",
    "Record",
    "RecordRefType",
    "RecordType",
    "Scoped",
    "Stage",
    "Team",
    "Through",
    "Transition",
    "User",
    "UtcDateTime",
    "Workflow",
    "any_record",
    "belongs_to",
    "boolean",
    "choice",
    "computed",
    "country",
    "currency",
    "date",
    "decimal",
    "duration",
    "email",
    "extends",
    "field",
    "integer",
    "kinds",
    "lines",
    "long_text",
    "moment",
    "money",
    "percent",
    "phone",
    "record_columns",
    "record_name",
    "reference",
    "stage",
    "tags",
    "text",
    "time_zone",
    "url",
]

# acting: context, the write path, reading
__all__ += [
    "All",
    "Any_",
    "Change",
    "Compare",
    "Context",
    "Filter",
    "Not",
    "Query",
    "aggregate",
    "and_also",
    "archive",
    "assign",
    "changes_of",
    "count",
    "country_code",
    "defer",
    "delete",
    "fold",
    "give_role",
    "history_of",
    "load",
    "move",
    "of_type",
    "reader_id",
    "restore",
    "run",
    "save",
    "titles",
    "to_pairs",
    "where",
]

# contributing: screens, rights, work
__all__ += [
    "Action",
    "Backoff",
    "Board",
    "Command",
    "Composer",
    "Contribution",
    "Daily",
    "DeferredWork",
    "Every",
    "Fact",
    "Form",
    "Job",
    "Kpi",
    "List",
    "Manifest",
    "MenuItem",
    "Monthly",
    "Panel",
    "Parameter",
    "Permission",
    "Progress",
    "Report",
    "ReportColumn",
    "ReportResult",
    "RoleTemplate",
    "Route",
    "Rules",
    "Saved",
    "ScreenAddition",
    "Screens",
    "Section",
    "Step",
    "Steps",
    "Tab",
    "Tile",
    "View",
    "Weekly",
    "When",
    "hookimpl",
    "hookspec",
]

# pages
__all__ += [
    "Formats",
    "PublicVisit",
    "Visit",
    "page",
    "part",
    "redirect",
]

# reporting: groupings, measures, pivots
__all__ += [
    "Answer",
    "Average",
    "Count",
    "Dimension",
    "Figure",
    "Measure",
    "Median",
    "Period",
    "PeriodChange",
    "Pivot",
    "Ratio",
    "Running",
    "Share",
    "Sum",
    "Summary",
    "Weighted",
    "named_period",
    "run_pivot",
]

# errors, values, words
__all__ += [
    "LANGUAGES",
    "Amount",
    "NotAllowed",
    "NotFound",
    "RecordRef",
    "Recoverable",
    "RuleViolation",
    "RuleViolations",
    "Text",
    "WriteRefused",
    "_",
    "ngettext",
]
