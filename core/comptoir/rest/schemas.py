"""What may be written: a strict marshmallow schema per record type, made from its fields and the writer's rights.

A text where a number belongs is refused, not converted; whatever the server keeps or the writer's roles lock never loads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, missing, pre_load

from comptoir.access.permissions import Grants
from comptoir.contributions import Action
from comptoir.db.fields import Field, fields_of
from comptoir.errors import RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.kinds import MAX_ID, Integer
from comptoir.records.declared import DeclaredType
from comptoir.records.validate import check_value

LINES_LIMIT = 1000
"""How many lines a record takes in one request."""

MOST_UNKNOWN = 50
"""How many unknown names are refused one by one."""


def _refuse(message: Any) -> ValidationError:
    return ValidationError(str(message))


class DeclaredField(fields.Field[Any]):
    """One declared field: its JSON type, then its rules."""

    def __init__(self, declared: Field) -> None:
        super().__init__(allow_none=True, data_key=declared.name, attribute=declared.name)
        self.declared = declared

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The value in its Python type; None stays None where the field may be empty."""
        if value is missing:
            return missing
        if value is None and self.declared.kind.never_null:
            raise _refuse(_("It cannot be empty; leave it out instead."))
        try:
            converted = None if value is None else self.declared.kind.from_json(self.declared, value)
        except RuleViolation as refused:
            raise _refuse(refused) from None
        broken = [str(violation) for violation in check_value(self.declared, converted, self.declared.name)]
        if broken:
            raise ValidationError(broken)
        return converted


class Refused(fields.Field[Any]):
    """A field that exists and may not be sent; says why."""

    def __init__(self, reason: Any) -> None:
        super().__init__()
        self.reason = reason

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """Nothing where nothing is sent, otherwise the reason."""
        if value is missing:
            return missing
        raise _refuse(self.reason)


class Lines(fields.List[Any]):
    """The whole list of a record's lines."""

    def __init__(self, schema: type[Schema]) -> None:
        super().__init__(fields.Nested(schema))

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The lines as dictionaries, in order."""
        if value is missing:
            return missing
        if not isinstance(value, list):
            raise _refuse(_("Give a list of objects; it replaces the lines there are."))
        if len(value) > LINES_LIMIT:
            raise _refuse(_("A record takes {limit} lines at most.", limit=LINES_LIMIT))
        return super().deserialize(value, attr, data, **kwargs)


class Strict(Schema):
    """Refuses every name that is not declared."""

    class Meta:
        unknown = RAISE

    @pre_load
    def refuse_a_heap_of_names(self, content: Any, **_more: Any) -> Any:
        """One error instead of hundreds for content that was meant for something else."""
        if isinstance(content, Mapping) and len(content) > len(self.fields) + MOST_UNKNOWN:
            raise _refuse(_("{count} names here are no fields. Send the fields that there are.",
                            count=len(content.keys() - self.fields.keys())))  # fmt: skip
        return content

    error_messages = {  # noqa: RUF012
        "unknown": _("There is no such field."),  # type: ignore[dict-item]
        "type": _("Give an object."),  # type: ignore[dict-item]
    }


KEPT_BY_SERVER = _("The server keeps this field; leave it out.")
LOCKED = _("Your roles do not let you change this field.")
VERSION = Field(Integer(), _("Version"), name="version", minimum=1, maximum=2**31 - 1)
"""The version that the writer has seen, in the body of a PATCH where ``If-Match`` cannot be sent."""

LINE_ID = Field(Integer(), _("Line"), name="id", minimum=1, maximum=MAX_ID)
"""Which line of its record is meant; a new one has none."""


def line_fields(line: Any, grants: Grants | None) -> dict[str, Field]:
    """The fields of a line that go over the wire; those without their right are absent, as for records."""
    return {
        name: declared
        for name, declared in fields_of(line).items()
        if not declared.server and not _lacks(grants, declared.read)
    }


def _lacks(grants: Grants | None, permission: str | None) -> bool:
    return grants is not None and permission is not None and grants.scope(permission) is None


def write_schema(declared: DeclaredType, grants: Grants, *, with_version: bool) -> Schema:
    """The schema of a create or update; made once per generation and set of rights."""
    key = ("write schema", grants, with_version)
    if key not in declared._cache:
        declared._cache[key] = _build(declared, grants, with_version=with_version)
    found: Schema = declared._cache[key]
    return found


def _build(declared: DeclaredType, grants: Grants, *, with_version: bool) -> Schema:
    hidden, locked = declared.hidden_fields(grants), declared.locked_fields(grants)
    own: dict[str, Any] = {"id": Refused(KEPT_BY_SERVER), "version": Refused(KEPT_BY_SERVER)}
    if with_version:
        own["version"] = DeclaredField(VERSION)
    by_module: dict[str, dict[str, Any]] = {}
    for name, described in declared.fields.items():
        if name in hidden:
            continue
        module, _dot, inner = name.rpartition(".")
        target = by_module.setdefault(module, {}) if module else own
        if described.server:
            target[inner] = Refused(KEPT_BY_SERVER)
        elif name in locked:
            target[inner] = Refused(LOCKED)
        elif described.kind.lined:
            target[inner] = Lines(_line_schema(described, grants))
        else:
            target[inner] = DeclaredField(described)
    for module, inner_fields in by_module.items():
        own[module] = fields.Nested(Strict.from_dict(inner_fields, name=f"{declared.name}.{module}"))
    return Strict.from_dict(own, name=declared.name)()


def action_schema(declared: DeclaredType, action: Action, grants: Grants) -> Schema:
    """The schema of what an action asks for; made once per generation and set of rights."""
    key = ("action schema", action.name, grants)
    if key not in declared._cache:
        inputs: dict[str, Any] = {name: DeclaredField(described) for name, described in action.asked(grants).items()}
        declared._cache[key] = Strict.from_dict(inputs, name=f"{declared.name}.{action.name}")()
    found: Schema = declared._cache[key]
    return found


def _line_schema(described: Field, grants: Grants) -> type[Schema]:
    inner: dict[str, Any] = {"id": DeclaredField(LINE_ID)}
    for name, declared in line_fields(described.line, grants).items():
        inner[name] = Refused(LOCKED) if _lacks(grants, declared.write) else DeclaredField(declared)
    return Strict.from_dict(inner, name=described.name)


def load(
    schema: Schema, content: Mapping[str, Any], *, only: Iterable[str] | None = None, prefix: str = ""
) -> dict[str, Any]:
    """The content in Python types; raises `RuleViolations` with everything that is wrong, each at its field.

    With ``only``, every other field is refused as unknown.
    """
    wanted = None if only is None else set(only)
    try:
        loaded: dict[str, Any] = schema.load(content)
        messages: Any = {}
    except ValidationError as error:
        loaded, messages = {}, error.messages
    if wanted is not None:
        messages = {**messages, **{name: [str(_("There is no such field."))] for name in content if name not in wanted}}
    if messages:
        raise RuleViolations(
            RuleViolation("core.invalid", message, field=prefix + path) for path, message in _flat(messages)
        )
    return loaded


def _flat(messages: Any, path: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            step = "" if key == "_schema" else str(key)
            yield from _flat(inner, f"{path}.{step}" if path and step else path or step)
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            yield path, str(message)
