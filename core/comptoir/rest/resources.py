"""What can be done with the records of one type; the same handlers serve every type."""

from __future__ import annotations

from typing import Any

from comptoir.contributions import Action
from comptoir.db.record import Record
from comptoir.db.workflow import Transition, Workflow
from comptoir.errors import NotFound, RuleViolation
from comptoir.i18n import _
from comptoir.records import query as queries
from comptoir.records import write
from comptoir.records.declared import DeclaredType
from comptoir.records.history import Entry, history_of
from comptoir.records.timeline import Place, timeline_of
from comptoir.reports import run_pivot
from comptoir.reports.asking import explored, read
from comptoir.rest.call import Answer, Call, etag
from comptoir.rest.represent import add_included, included, objects_of, pivot_object, record_object
from comptoir.rest.schemas import action_schema, load, write_schema

HISTORY_SIZE = 50
HISTORY_LIMIT = 200


class Resource:
    """The API of one record type in one generation."""

    def __init__(self, declared: DeclaredType, actions: dict[str, Action]) -> None:
        self.declared = declared
        self.actions = actions
        """What plugins contribute, by name."""

    @property
    def workflow(self) -> Workflow | None:
        """The stages of the record type, if it has any."""
        return self.declared.declaration.workflow

    # -- reading --------------------------------------------------------------------------------------------------------

    def list_records(self, call: Call) -> Answer:
        """A page of records: filtered, sorted, cut to the fields asked for."""
        ctx, declared = call.context, self.declared
        ctx.require(declared.permission("read"))
        include = included(ctx, declared, call.request.args.get("include", ""))
        pairs = [(name, value) for name, value in call.request.args.items(multi=True) if name != "include"]
        query = queries.parse(ctx, declared, pairs)
        page = queries.run(ctx, declared, query)
        objects = objects_of(ctx, declared, page.rows)
        add_included(ctx, declared, objects, include)
        meta: dict[str, Any] = {"total": page.total}
        if page.capped:
            meta["capped"] = True
        number = None if query.after is not None else query.number
        meta["page"] = {"size": query.size, "number": number, "next": page.next}
        return Answer({"data": objects, "meta": meta})

    def aggregate_records(self, call: Call) -> Answer:
        """Counts and sums of the records that the filter leaves, by group."""
        ctx, declared = call.context, self.declared
        ctx.require(declared.permission("read"))
        arguments = call.request.args
        pairs = [(name, value) for name, value in arguments.items(multi=True) if name not in ("group", "measures")]
        for name, _value in pairs:
            if not name.startswith("filter") and name not in ("q", "archived"):
                raise RuleViolation(
                    "core.unknown_parameter",
                    _("There is no parameter “{name}” here. Known: {known}.",
                      name=name[:60], known="group, measures, filter[…], q, archived"),
                    field=name[:60],
                )  # fmt: skip
        query = queries.parse(ctx, declared, pairs)
        group = [part for part in arguments.get("group", "").split(",") if part]
        measures = [part for part in arguments.get("measures", "count").split(",") if part]
        return Answer({"data": queries.aggregate(ctx, declared, query, group, measures)})

    def pivot_records(self, call: Call) -> Answer:
        """Rows, columns and measures with their totals, as the reports page shows them."""
        ctx, declared = call.context, self.declared
        ctx.require(declared.permission("read"))
        report = explored(ctx, declared)
        pairs = list(call.request.args.items(multi=True))
        names = {name for name, _value in pairs}
        defaults = [(name, "none") for name in ("rows",) if name not in names]
        defaults += [("measures", "count")] if "measures" not in names else []
        defaults += [("top", "0")] if "top" not in names else []
        asked = read(ctx, declared, report, [*pairs, *defaults])
        return Answer({"data": pivot_object(run_pivot(ctx, asked.pivot))})

    def read_record(self, call: Call, record_id: int) -> Answer:
        """One record, or 304 where the caller has it already."""
        call.check_parameters("include")
        record = self._load(call, record_id)
        text = call.request.args.get("include", "")
        if (
            not text
            and "If-None-Match" in call.request.headers
            and call.request.if_none_match.contains_weak(etag(record))
        ):
            return Answer(status=304, headers={"ETag": f'"{etag(record)}"'})
        return self._single(call, record, include=text)

    def history(self, call: Call, record_id: int) -> Answer:
        """Who changed what and when, newest first."""
        call.check_parameters("page[size]", "page[after]")
        record = self._load(call, record_id)
        size = self._whole(call, "page[size]", HISTORY_SIZE, HISTORY_LIMIT)
        after = self._whole(call, "page[after]", 0, 2**63 - 1) or None
        entries = history_of(call.context, record, limit=size + 1, before_id=after)
        shown = entries[:size]
        following = str(shown[-1].id) if len(entries) > size else None
        return Answer(
            {"data": [_change(entry) for entry in shown], "meta": {"page": {"size": size, "next": following}}}
        )

    def timeline(self, call: Call, record_id: int) -> Answer:
        """What happened with it, newest first: its changes, and the records that are about it."""
        call.check_parameters("page[size]", "page[after]")
        record = self._load(call, record_id)
        size = self._whole(call, "page[size]", HISTORY_SIZE, HISTORY_LIMIT)
        text = call.request.args.get("page[after]")
        after = Place.parse(text, "page[after]") if text is not None else None
        part = timeline_of(call.context, record, size=size, after=after)
        rows = []
        for h in part.happenings:
            told = objects_of(call.context, h.declared, [h.row])[0] if h.declared and h.row is not None else None
            rows.append(
                {
                    "at": h.place.at, "change": _change(h.entry) if h.entry is not None else None,
                    "type": h.place.source or None, "record": told,
                }
            )  # fmt: skip
        following = str(part.next) if part.next is not None else None
        return Answer({"data": rows, "meta": {"page": {"size": size, "next": following}}})

    # -- writing --------------------------------------------------------------------------------------------------------

    def create_record(self, call: Call) -> Answer:
        """A new record: 201 with its place."""
        call.check_parameters("include")
        ctx, declared = call.context, self.declared
        ctx.require(declared.permission("create"))
        record = self.built(call, call.body_object())
        write.save(ctx, [record])
        return self._single(call, record, status=201, is_new=True, headers={"Location": self.place(record)})

    def update_record(self, call: Call, record_id: int) -> Answer:
        """A changed record; what is not sent stays as it is."""
        call.check_parameters("include")
        record = self._load(call, record_id)
        call.check_version(record)
        self.change(call, record, call.body_object())
        return self._single(call, record)

    def delete_record(self, call: Call, record_id: int) -> Answer:
        """Nothing remains but the history."""
        call.check_parameters()
        record = self._load(call, record_id)
        call.check_version(record)
        write.delete(call.context, [record])
        return Answer(status=204)

    def built(self, call: Call, content: dict[str, Any], prefix: str = "") -> Record:
        """A new record from the values of a request, not saved yet."""
        values = load(
            write_schema(self.declared, call.context.actor.grants, with_version=False), content, prefix=prefix
        )
        record = self.declared.model()
        write.assign(call.context, record, values)
        return record

    def change(self, call: Call, record: Record, content: dict[str, Any]) -> None:
        """Set the values of a request and save."""
        call.context.require(self.declared.permission("write"), [record])
        values = self.values(call, content)
        write.assign(call.context, record, values)
        write.save(call.context, [record])

    def values(self, call: Call, content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
        """The values of an update in Python types, without the version."""
        values = load(write_schema(self.declared, call.context.actor.grants, with_version=True), content, prefix=prefix)
        values.pop("version", None)
        return values

    # -- stages and actions -----------------------------------------------------------------------------------------------

    def transitions(self, call: Call, record_id: int) -> Answer:
        """The moves that the actor could make now, with the fields that each asks for."""
        call.check_parameters()
        record = self._load(call, record_id)
        found = [
            {
                "name": transition.name,
                "label": str(transition.label),
                "target": transition.target,
                "asks": [
                    {"name": name, "label": str(field.label), "kind": field.kind.name}
                    for name in transition.asks
                    if (field := self.declared.fields.get(name)) is not None
                ],
            }
            for transition in self._possible(call, record)
        ]
        return Answer({"data": found})

    def _possible(self, call: Call, record: Record) -> list[Transition]:
        ctx = call.context
        if self.workflow is None or not ctx.may(self.declared.permission("write"), record):
            return []
        return [
            transition
            for transition in self.workflow.moves_from(ctx, record)
            if transition.permission is None or ctx.may(transition.permission, record)
        ]

    def act(self, call: Call, record_id: int, name: str) -> Answer:
        """Move a record through a transition, archive or restore it, or run a plugin's action on it."""
        call.check_parameters("include")
        ctx = call.context
        record = self._load(call, record_id)
        call.check_version(record)
        body = {key: value for key, value in call.body_object(optional=True).items() if key != "version"}
        result: Any = record
        if name in ("archive", "restore"):
            _refuse_values(body)
            ctx.require(self.declared.permission("write"), [record])
            (write.archive if name == "archive" else write.restore)(ctx, [record])
        elif name in self.actions:
            action = self.actions[name]
            ctx.require(action.permission, [record])
            if action.shown is not None and not action.shown(ctx, record):
                raise RuleViolation("core.not_now", _("“{action}” is not possible at the moment.", action=action.label))
            sent = load(action_schema(self.declared, action, ctx.actor.grants), body) if action.asks else body
            result = action.perform(ctx, record, sent)
        else:
            self._move(call, record, name, body)
        if isinstance(result, Record) and result is not record:
            return _answer(call, result)
        return self._single(call, record)

    def _move(self, call: Call, record: Record, name: str, body: dict[str, Any]) -> None:
        ctx = call.context
        known = self.workflow.transitions(ctx, record) if self.workflow is not None else ()
        takes = {field for transition in known if transition.name == name for field in transition.takes}
        if not any(transition.name == name for transition in known):
            names = ", ".join(dict.fromkeys(["archive", "restore", *self.actions, *(t.name for t in known)]))
            raise NotFound(_("There is no action “{name}” here. Known: {known}.", name=name[:60], known=names))
        ctx.require(self.declared.permission("write"), [record])
        values = load(write_schema(self.declared, ctx.actor.grants, with_version=False), body, only=takes)
        write.move(ctx, record, name, values)

    # -- small parts --------------------------------------------------------------------------------------------------------

    def place(self, record: Record) -> str:
        """The path of a record in the API."""
        return f"{self.declared.api_path}/{record.id}"

    def _load(self, call: Call, record_id: int) -> Record:
        if (
            call.context.actor.grants.scope(self.declared.permission("read")) is None
            and not call.context.actor.is_system
        ):
            raise NotFound(_("There is no {label} {id} here, or you may not see it.",
                             label=self.declared.declaration.label, id=record_id))  # fmt: skip
        return queries.load(call.context, self.declared.model, record_id)

    def _single(
        self,
        call: Call,
        record: Record,
        *,
        status: int = 200,
        is_new: bool = False,
        headers: dict[str, str] | None = None,
        include: str | None = None,
    ) -> Answer:
        ctx = call.context
        text = call.request.args.get("include", "") if include is None else include
        references = included(ctx, self.declared, text)
        found = record_object(ctx, record, is_new=is_new)
        add_included(ctx, self.declared, [found], references)
        return Answer(found, status, {**(headers or {}), "ETag": f'"{etag(record)}"'})

    def _whole(self, call: Call, name: str, default: int, most: int) -> int:
        text = call.request.args.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= most):
            raise RuleViolation("core.out_of_range", _("Give a whole number from 1 to {most}.", most=most), field=name)
        return int(text)


def _change(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id, "action": entry.action, "at": entry.at, "user_id": entry.user_id, "actor": entry.actor,
        "changes": entry.changes,
    }  # fmt: skip


def _answer(call: Call, record: Record) -> Answer:
    """Another record than the one acted upon, as the result of an action."""
    declared = call.context.registry.record_type(type(record))
    place = f"{declared.api_path}/{record.id}"
    found = record_object(call.context, record)
    return Answer(found, 200, {"ETag": f'"{etag(record)}"', "Content-Location": place})


def _refuse_values(body: dict[str, Any]) -> None:
    if body:
        name = next(iter(body))
        raise RuleViolation("core.invalid", _("This action takes no values."), field=name[:60])
