"""A record type as one generation knows it: the class, its fields and what other plugins add to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table

from comptoir.access.permissions import Grants
from comptoir.db.fields import Choice, Field, fields_of
from comptoir.db.record import Extension, Public, Record, RecordType, Through, module_of, record_name, title_field

if TYPE_CHECKING:
    from comptoir.context import Context


@dataclass(frozen=True, eq=False)
class DeclaredType:
    """A record type with the extensions of the enabled modules; read-only for the life of a generation."""

    model: type[Record]
    extensions: tuple[type[Extension[Any]], ...] = ()
    _cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def name(self) -> str:
        """``sales.deal``."""
        return record_name(self.model)

    @cached_property
    def module(self) -> str:
        """``sales``."""
        return self.name.partition(".")[0]

    @property
    def declaration(self) -> RecordType:
        """Labels, workflow and visibility."""
        return self.model.__record__

    @property
    def table(self) -> Table:
        """The record's own table."""
        return self.model.__table__  # type: ignore[return-value]

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """Own fields by wire name, then the extensions' as ``<module>.<field>``."""
        found = dict(fields_of(self.model))
        for extension in self.extensions:
            prefix = module_of(extension)
            for name, declared in fields_of(extension).items():
                found[f"{prefix}.{name}"] = declared
        return found

    @cached_property
    def pointing(self) -> Sequence[str]:
        """Wire names of the fields whose values, or those of whose lines, may point at records."""
        return [
            name
            for name, declared in self.fields.items()
            if declared.kind.points or (declared.line and any(f.kind.points for f in fields_of(declared.line).values()))
        ]

    @cached_property
    def by_path(self) -> Mapping[str, str]:
        """Wire names by every name that filters and mappings may use: ``contact`` and ``contact_id``."""
        found: dict[str, str] = {}
        for name, declared in self.fields.items():
            prefix = name[: -len(declared.name)]
            found[name] = name
            found.setdefault(prefix + declared.path, name)
        return found

    @cached_property
    def title(self) -> str:
        """The attribute that names a record."""
        return title_field(self.model)

    def with_role(self, role: str) -> tuple[str, ...]:
        """The record's own fields that were declared to be for this, in their order."""
        if ("role", role) not in self._cache:
            own = fields_of(self.model).items()
            self._cache["role", role] = tuple(name for name, declared in own if role in declared.roles)
        found: tuple[str, ...] = self._cache["role", role]
        return found

    def reached_by(self, role: str, record: Any, grants: Grants) -> Iterator[str]:
        """The numbers or addresses of a record with this role that may be read, its own first, then those of its lines.

        The record comes from the reader's own session, in which what they may not read is empty; lines are not cut so.
        """
        hidden = self.hidden_fields(grants)
        yield from filter(None, (getattr(record, name) for name in self.with_role(role)))
        for name, declared in fields_of(self.model).items():
            for own, described in fields_of(declared.line).items() if declared.line is not None else ():
                is_shown = name not in hidden and (described.read is None or grants.scope(described.read) is not None)
                if is_shown and role in described.roles:
                    yield from filter(None, (getattr(line, own) for line in getattr(record, name)))

    @property
    def url(self) -> str:
        """``/sales/deals``; a record's page is ``/sales/deals/7``."""
        return f"/{self.module}/{self.declaration.path}"

    @property
    def api_path(self) -> str:
        """``/api/v1/sales/deals``."""
        return f"/api/v1{self.url}"

    def permission(self, action: str) -> str:
        """``sales.deal.read`` for ``read``."""
        return f"{self.name}.{action}"

    @cached_property
    def has_owner(self) -> bool:
        """Whether new records get an owner and a team; what everyone may see belongs to nobody by itself."""
        return not isinstance(self.declaration.visible, Public)

    @cached_property
    def otherwise(self) -> tuple[str, str] | None:
        """The reference that decides who sees a record, and the field that does where it is empty."""
        visible = self.declaration.visible
        if isinstance(visible, Through) and visible.otherwise is not None:
            return visible.column, visible.otherwise
        return None

    @cached_property
    def carries_others(self) -> bool:
        """Whether others may be seen through it alone: it has a history to stand in, and does not itself hang on any record."""
        return self.declaration.timeline and self.otherwise is None

    def extension_of(self, module: str) -> type[Extension[Any]] | None:
        """The side table that a module adds, if it adds one."""
        return next((e for e in self.extensions if module_of(e) == module), None)

    def hidden_fields(self, grants: Grants) -> frozenset[str]:
        """Wire names that these grants may not read: for their holder the fields do not exist."""
        return self._without(grants, "read")

    def visible_fields(self, grants: Grants | None) -> Mapping[str, Field]:
        """The fields that these grants may read, by wire name; all of them where none are given."""
        hidden = self.hidden_fields(grants) if grants is not None else frozenset()
        return {name: declared for name, declared in self.fields.items() if name not in hidden}

    def locked_fields(self, grants: Grants) -> frozenset[str]:
        """Wire names that these grants may not write."""
        return self._without(grants, "write") | self.hidden_fields(grants)

    def _without(self, grants: Grants, right: str) -> frozenset[str]:
        key = (grants, right)
        if key not in self._cache:
            without = {
                name
                for name, declared in self.fields.items()
                if (needed := getattr(declared, right)) is not None and grants.scope(needed) is None
            }
            for name, declared in self.fields.items():
                if declared.computed is not None and not without.isdisjoint(declared.computed.sources):
                    without.add(name)  # whoever may not read the sources could work them out
            self._cache[key] = frozenset(without)
        found: frozenset[str] = self._cache[key]
        return found

    def references(self) -> Iterator[tuple[str, Field]]:
        """The fields that point at other records."""
        return ((name, declared) for name, declared in self.fields.items() if declared.target is not None)

    def path_of(self, name: str) -> str:
        """The name of a field in filters, sorts and mappings: ``contact`` for ``contact_id``."""
        described = self.fields[name]
        return name[: -len(described.name)] + described.path

    def currency_of(self, name: str) -> str | None:
        """The wire name of the field in which the currency of an amount stands; None where there is none."""
        described = self.fields[name]
        currency = name[: -len(described.name)] + (described.currency or "")
        return currency if described.currency and currency in self.fields else None

    def choices(self, ctx: Context, described: Field, record: Any = None) -> Sequence[Choice] | None:
        """The values that a field's come from, stages as they are for the record; None where anything goes."""
        workflow = self.declaration.workflow
        if described.kind.staged and workflow is not None:
            return [Choice(stage.name, stage.label) for stage in workflow.stages(ctx, record)]
        return described.kind.choices(described)

    def title_of(self, record: Any) -> str:
        """What a record is called; its number where the title is empty."""
        return str(getattr(record, self.title) or f"{self.declaration.label} {record.id}")
