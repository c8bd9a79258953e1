"""What the groups of a dimension are called and how they are ordered, in the words of the reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from babel.dates import format_date

from comptoir.i18n import Text, _
from comptoir.kinds import Field
from comptoir.records.query import resolve, titles
from comptoir.reports.dimensions import Dimension, span

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

NO_DATE = _("No date")
NONE = _("None")


class Labels:
    """Names and places of one dimension's groups."""

    def __init__(
        self,
        ctx: Context,
        declared: DeclaredType,
        dimension: Dimension,
        keys: Iterable[Any],
        field: Field | None = None,
    ) -> None:
        self.dimension = dimension
        self._language = ctx.actor.language
        if field is None:
            path = resolve(ctx, declared, dimension.path, "rows")
            declared, field = path.declared, path.field
        self.field = field
        self.heading: Text = dimension.label or self.field.label
        self._known: dict[Any, str] = {}
        if self.field.target is not None:
            table = str(self.field.target)
            self._known.update(titles(ctx, {table: {key for key in keys if key is not None}})[table])
        elif self.field.kind.staged:
            workflow = declared.declaration.workflow
            self._known = {s.name: str(s.label) for s in workflow.stages(ctx)} if workflow is not None else {}
        elif self.field.kind.python_type is bool:
            self._known = {False: str(_("no")), True: str(_("yes"))}
        else:
            listed = self.field.kind.choices(self.field) or ()
            self._known = {choice.value: str(choice.label) for choice in listed}
        self._is_listed = self.field.target is None and bool(self._known)
        self._places = {key: place for place, key in enumerate(self._known)}

    @property
    def is_dated(self) -> bool:
        """Whether the groups are spans of time."""
        return bool(self.dimension.part)

    @property
    def has_order(self) -> bool:
        """Whether the groups have an order of their own, such as months and stages do."""
        return self.is_dated or self._is_listed or self.field.kind.numeric

    def of(self, key: Any) -> str:
        """What a group is called."""
        if key is None:
            return str(NO_DATE if self.is_dated else NONE)
        if self.is_dated:
            return date_label(str(key), self.dimension.part, self._language)
        if self.field.target is not None:
            return self._known.get(key, str(_("hidden from you")))
        if self._is_listed:
            return self._known.get(key, str(key))
        return str(key)

    @property
    def place(self) -> Callable[[Any], Any]:
        """The key by which the groups are put in their own order; the empty one comes last."""
        if self.is_dated:
            return lambda key: (key is None, str(key))
        if self._is_listed:
            last = len(self._places)
            return lambda key: (key is None, self._places.get(key, last), str(key))
        if self.field.kind.numeric:
            return lambda key: (key is None, key or 0)
        return lambda key: (key is None, self.of(key).casefold())


def date_label(key: str, part: str, language: str) -> str:
    """``2026-11`` as “Nov 2026” in the reader's language; days, weeks, quarters and years alike."""
    first, _after = span(key, part)
    match part:
        case "day":
            return str(format_date(first, "medium", locale=language))
        case "week":
            return str(_("Week {week}, {year}", week=int(key[6:]), year=key[:4]))
        case "month":
            return str(format_date(first, "LLL y", locale=language))
        case "quarter":
            return str(format_date(first, "QQQ y", locale=language))
        case _:
            return key
