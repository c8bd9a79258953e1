"""The one module that a plugin imports: everything it may use of the platform, flat and by theme."""

from __future__ import annotations

from comptoir import kinds
from comptoir.access.guard import me as reader_id
from comptoir.access.models import Team, User
from comptoir.context import Context
from comptoir.contributions import (
    Action,
    Backoff,
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
    Progress,
    Report,
    ReportColumn,
    ReportResult,
    RoleTemplate,
    Saved,
    ScreenAddition,
    Screens,
    Section,
    Step,
    Steps,
    Tab,
    Tile,
    When,
)
from comptoir.db.base import Base
from comptoir.db.fields import (
    Choice,
    any_record,
    boolean,
    choice,
    computed,
    country,
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
from comptoir.db.types import Json, MoneyType, RecordRefType, UtcDateTime, average, fold
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
from comptoir.formats import Formats
from comptoir.hookspecs.marker import hookimpl, hookspec
from comptoir.i18n import LANGUAGES, Text, _, ngettext
from comptoir.jobs.outbox import defer
from comptoir.jobs.queue import Recoverable
from comptoir.kinds import country_code
from comptoir.records.changes import Change, changes_of, of_type
from comptoir.records.history import history_of
from comptoir.records.query import All, Any_, Compare, Filter, Not, Query, aggregate, and_also, titles, to_pairs, where
from comptoir.records.write import archive, assign, delete, move, restore, save
from comptoir.registry.people import give_role
from comptoir.schedules import Cron, Daily, Every, Monthly, Schedule, Weekly
from comptoir.values import Amount, FieldChange, RecordRef

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
    "average",
    "changes_of",
    "country_code",
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
    "Backoff",
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
    "Progress",
    "Report",
    "ReportColumn",
    "ReportResult",
    "RoleTemplate",
    "Saved",
    "Schedule",
    "ScreenAddition",
    "Screens",
    "Section",
    "Step",
    "Steps",
    "Tab",
    "Tile",
    "Weekly",
    "When",
    "hookimpl",
    "hookspec",
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
