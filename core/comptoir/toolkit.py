"""The one module that a plugin imports: everything it may use of the platform, flat and by theme."""

from __future__ import annotations

from comptoir.access.guard import me as reader_id
from comptoir.access.models import Team, User
from comptoir.context import Context
from comptoir.contributions import (
    Action,
    Board,
    Composer,
    DeferredWork,
    Fact,
    Form,
    Job,
    Kpi,
    List,
    Manifest,
    MenuItem,
    Panel,
    Permission,
    RoleTemplate,
    Saved,
    ScreenAddition,
    Screens,
    Section,
    Tab,
    Tile,
    When,
)
from comptoir.db.base import Base
from comptoir.db.fields import (
    Choice,
    boolean,
    choice,
    date,
    decimal,
    email,
    integer,
    lines,
    long_text,
    moment,
    money,
    percent,
    phone,
    reference,
    stage,
    text,
    url,
)
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
from comptoir.db.types import Json, MoneyType, UtcDateTime, average, fold
from comptoir.db.workflow import Stage, Transition, Workflow
from comptoir.errors import (
    ComptoirError,
    ConfigurationError,
    Conflict,
    NotAllowed,
    NotFound,
    PluginError,
    RuleViolation,
    RuleViolations,
    WriteRefused,
)
from comptoir.hookspecs.marker import hookimpl, hookspec
from comptoir.i18n import LANGUAGES, Text, _, ngettext
from comptoir.jobs.outbox import defer
from comptoir.jobs.queue import Recoverable
from comptoir.records.changes import Change, changes_of, of_type
from comptoir.records.history import history_of
from comptoir.records.query import All, Any_, Compare, Filter, Not, Query, aggregate, and_also, titles, to_pairs, where
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
from comptoir.schedules import Cron, Daily, Every, Monthly, Schedule, Weekly
from comptoir.values import Amount, FieldChange, RecordRef
from comptoir.web.formats import Formats

# declaring: tables, fields, stages
__all__ = [
    "Base",
    "Choice",
    "Extension",
    "Json",
    "Line",
    "MoneyType",
    "Public",
    "Record",
    "RecordType",
    "Scoped",
    "Stage",
    "Team",
    "Through",
    "Transition",
    "User",
    "UtcDateTime",
    "Workflow",
    "belongs_to",
    "boolean",
    "choice",
    "date",
    "decimal",
    "email",
    "extends",
    "integer",
    "lines",
    "long_text",
    "moment",
    "money",
    "percent",
    "phone",
    "record_name",
    "reference",
    "stage",
    "text",
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
    "average",
    "changes_of",
    "defer",
    "delete",
    "fold",
    "give_role",
    "history_of",
    "move",
    "of_type",
    "reader_id",
    "restore",
    "save",
    "titles",
    "to_pairs",
    "where",
]

# contributing: screens, rights, work
__all__ += [
    "Action",
    "Board",
    "Composer",
    "Cron",
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
    "Permission",
    "Report",
    "ReportColumn",
    "ReportResult",
    "RoleTemplate",
    "Saved",
    "Schedule",
    "ScreenAddition",
    "Screens",
    "Section",
    "Tab",
    "Tile",
    "Weekly",
    "When",
    "hookimpl",
    "hookspec",
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
    "Weighted",
    "named_period",
    "run_pivot",
]

# errors, values, words
__all__ += [
    "LANGUAGES",
    "Amount",
    "ComptoirError",
    "ConfigurationError",
    "Conflict",
    "FieldChange",
    "Formats",
    "NotAllowed",
    "NotFound",
    "PluginError",
    "RecordRef",
    "Recoverable",
    "RuleViolation",
    "RuleViolations",
    "Text",
    "WriteRefused",
    "_",
    "ngettext",
]
