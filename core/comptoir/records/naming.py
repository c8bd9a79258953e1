"""What texts from people name: records by their title or address, stages by their label."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from comptoir.db.types import fold
from comptoir.errors import RuleViolation
from comptoir.formats import Formats
from comptoir.i18n import _
from comptoir.kinds import Field
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Query, run, where
from comptoir.values import RecordRef

if TYPE_CHECKING:
    from comptoir.context import Context


class Named:
    """Finds what a text names, as far as the actor may see it; the source of kinds for one record type."""

    def __init__(self, ctx: Context, declared: DeclaredType | None, formats: Formats) -> None:
        self.ctx = ctx
        self.declared = declared
        self.formats = formats
        self._stages: dict[str, str] | None = None

    def record(self, field: Field, text: str) -> int:
        """A record by its number, or the one whose title is exactly this."""
        if text.isascii() and text.isdigit() and len(text) <= 18:
            return int(text)
        target = self.ctx.registry.target_of(str(field.target))
        found = []
        if target is not None:
            query = Query(where=where(target, target.title, "eq", text), fields=("id",), size=2)
            found = run(self.ctx, target, query, total=False).rows
        if len(found) != 1:
            raise RuleViolation("core.unknown_reference", _("Choose one from the list."), field=field.name)
        return int(found[0]["id"])

    def any_record(self, field: Field, text: str) -> RecordRef:
        """A record as ``sales.deal/7``, or by the address of its page."""
        try:
            return RecordRef.parse(text)
        except ValueError:
            path, _slash, number = urlsplit(text).path.rstrip("/").rpartition("/")
            known = (declared for declared in self.ctx.registry.record_types.values() if declared.url == path)
            found = next(known, None)
            if found is None or not (number.isascii() and number.isdigit() and len(number) <= 18):
                raise RuleViolation(
                    "core.not_a_record",
                    _("Give the address of the record's page, or its type and number: sales.deal/7."),
                    field=field.name,
                ) from None
            return RecordRef(found.name, int(number))

    def stage(self, field: Field, text: str) -> str:
        """A stage by its name or its label, whatever their case and accents."""
        if self._stages is None:
            workflow = self.declared.declaration.workflow if self.declared is not None else None
            self._stages = {}
            for stage in workflow.stages(self.ctx, None) if workflow is not None else ():
                self._stages.setdefault(fold(str(stage.label)), stage.name)
                self._stages.setdefault(fold(stage.name), stage.name)
        known = self._stages.get(fold(text))
        if known is None:
            raise RuleViolation(
                "core.unknown_stage",
                _(
                    "There is no stage “{text}”. Stages: {stages}.",
                    text=text[:60],
                    stages=", ".join(dict.fromkeys(self._stages.values())),
                ),
                field=field.name,
            )
        return known
