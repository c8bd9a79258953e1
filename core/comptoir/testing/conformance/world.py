"""A deployment that the plugin is enabled in, with people of few rights and records made up: no server, only its application."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import count
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from werkzeug.test import TestResponse

from comptoir.contributions import Action, Composer
from comptoir.deployment import Deployment
from comptoir.errors import ComptoirError
from comptoir.records.declared import DeclaredType
from comptoir.registry.registry import Registry
from comptoir.rest.routes import PREFIX
from comptoir.testing.conformance import samples
from comptoir.testing.conformance.check import NotApplicable
from comptoir.testing.platform import PASSWORD, Stage

PEOPLE = count(1)
SAFE = ("GET", "HEAD", "OPTIONS")
TOKEN = re.compile(r'name="csrf-token" content="([^"]+)"')
PART = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>")


@dataclass(frozen=True, slots=True)
class Address:
    """One method of one route of the plugin, its parts filled in; ``permission`` is what it asks for."""

    method: str
    path: str
    permission: str | None
    public: bool
    declared: DeclaredType | None = None
    """The record type on whose addresses it lies."""
    number: int = 1

    @property
    def of_api(self) -> bool:
        """Whether a program calls it."""
        return self.path.startswith(PREFIX)

    @property
    def is_safe(self) -> bool:
        """Whether it only shows."""
        return self.method in SAFE

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Visitor:
    """A browser: signed in as somebody, or as nobody."""

    def __init__(self, app: Any, email: str = "") -> None:
        self.client = app.test_client()
        self.token = ""
        if email:
            self.token = self._token("/login")
            fields = {"csrf_token": self.token, "email": email, "password": PASSWORD}
            assert self.client.post("/login", data=fields).status_code == 303
            self.token = self._token("/account")

    def _token(self, path: str) -> str:
        found = TOKEN.search(self.client.get(path).text)
        return found[1] if found else ""

    def get(self, path: str) -> TestResponse:
        """Open a page or read from the API."""
        answer: TestResponse = self.client.get(path)
        return answer

    def send(self, method: str, path: str, *, json: Any = None, form: Any = None, forged: bool = False) -> TestResponse:
        """Change something, with the token of the session unless the request is ``forged`` by another page."""
        headers = {} if forged else {"X-CSRF-Token": self.token}
        if path.startswith(PREFIX):
            answer: TestResponse = self.client.open(path, method=method, json=json or {}, headers=headers)
        else:
            answer = self.client.open(path, method=method, data=form or {}, headers=headers)
        return answer


class World:
    """A deployment in use."""

    def __init__(self, deployment: Deployment, name: str) -> None:
        from comptoir.web.app import create_app

        self.deployment = deployment
        self.name = name
        self.registry: Registry = deployment.registry
        self.app = create_app(deployment, self.registry)
        self.stage = Stage(deployment)
        self.refused: dict[str, str] = {}
        """The record types of which no record could be made, with the reason."""
        self.failed: dict[str, list[str]] = {}
        """The pages of which a part could not be shown, with what the log tells."""

    @property
    def types(self) -> Mapping[str, DeclaredType]:
        """The plugin's own record types, by name; of base those that it declares itself."""
        return {n: d for n, d in self.registry.record_types.items() if d.module == self.name and d.table.name.startswith(f"{self.name}_")}  # fmt: skip

    # -- people ----------------------------------------------------------------------------------------------------------

    def visitor(self, grants: Mapping[str, str] | None, *, administrator: bool = False) -> Visitor:
        """Somebody signed in with these rights alone."""
        number = next(PEOPLE)
        email = f"visitor{number}@example.org"
        self.stage.user(f"Visitor {number}", email=email, grants=grants, administrator=administrator)
        return Visitor(self.app, email)

    @cached_property
    def administrator(self) -> Visitor:
        """Somebody who may do everything."""
        return self.visitor(None, administrator=True)

    @cached_property
    def stranger(self) -> Visitor:
        """Somebody who is signed in and has no right at all."""
        return self.visitor({})

    @cached_property
    def rights_to_read(self) -> Mapping[str, str]:
        """The rights to see the records of every type, and nothing else."""
        return {declared.permission("read"): "all" for declared in self.registry.record_types.values()}

    @cached_property
    def reader(self) -> Visitor:
        """Somebody who may see all records and change none."""
        return self.visitor(self.rights_to_read)

    @cached_property
    def colleague(self) -> Visitor:
        """Somebody who may see contacts, and nothing of the plugin."""
        return self.visitor({"base.contact.read": "all"})

    @property
    def anybody(self) -> Visitor:
        """Somebody who is not signed in."""
        return Visitor(self.app)

    # -- records -----------------------------------------------------------------------------------------------------------

    @cached_property
    def made(self) -> Mapping[str, tuple[int, dict[str, Any]]]:
        """A record of each type that could be made, with the body it was made from; the plugin's own seeds help out."""
        found: dict[str, tuple[int, dict[str, Any]]] = {}
        found |= self._create(found)
        if self.refused.keys() & self.types.keys() and self.seeds_demo:
            from comptoir.modules.demo import load_demo

            try:
                load_demo(self.deployment)
            except ComptoirError as error:
                self.refused |= {
                    name: f"{reason}; its seed_demo: {error!s:.200}" for name, reason in self.refused.items()
                }
            for name in list(self.refused):
                listed = self.administrator.get(self.registry.record_types[name].api_path).get_json() or {}
                if listed.get("data"):
                    found[name] = int(listed["data"][0]["id"]), {}
                    del self.refused[name]
        return found

    @property
    def seeds_demo(self) -> bool:
        """Whether the plugin has demonstration data."""
        return any(i.plugin_name == self.name for i in self.registry.hooks.seed_demo.get_hookimpls())

    def _create(self, found: dict[str, tuple[int, dict[str, Any]]]) -> dict[str, tuple[int, dict[str, Any]]]:
        todo = [d for d in self.registry.record_types.values() if not d.table.name.startswith("core_")]
        todo.sort(key=lambda declared: declared.name != "base.contact")
        for _round in range(2):  # what points at a type that comes later is made in the second round
            for declared in list(todo):
                ids = {self.registry.record_types[name].table.name: made[0] for name, made in found.items()}
                outcome = samples.create(self.administrator.send, declared, 1, ids)
                if isinstance(outcome, str):
                    self.refused[declared.name] = outcome
                else:
                    found[declared.name] = outcome
                    self.refused.pop(declared.name, None)
                    todo.remove(declared)
        return found

    def grow(self, declared: DeclaredType, count: int) -> int:
        """Make further records of a type; returns how many there are then."""
        ids = {self.registry.record_types[name].table.name: made[0] for name, made in self.made.items()}
        body, number = self.made[declared.name][1], 1
        while number < count:
            number += 1
            fresh = samples.body_of(declared, number, ids)
            kept = {key: fresh[key] for key in body if key in fresh}
            if self.administrator.send("POST", declared.api_path, json=kept).status_code != 201:
                break
        return number

    def id_of(self, record_type: str) -> int:
        """The number of the record that was made; raises where none could be."""
        if record_type not in self.made:
            raise NotApplicable(f"no {record_type} could be made up ({self.refused.get(record_type, '')[:200]}); give seed_demo")  # fmt: skip
        return self.made[record_type][0]

    # -- addresses -----------------------------------------------------------------------------------------------------------

    @cached_property
    def addresses(self) -> list[Address]:
        """Every address of the plugin, on pages and in the API, with the records that were made."""
        found = []
        for rule in self.app.url_map.iter_rules():
            steps = [step for step in rule.rule.split("/") if step]
            if steps[:2] == ["api", "v1"]:
                steps = steps[2:]
            if steps[:1] == [self.name]:
                view = self.app.view_functions[rule.endpoint]
                declared = self._owner(rule.rule)
                if declared is not None and declared.table.name.startswith("core_"):
                    continue  # users and teams, which the platform shows below base
                number = self.made.get(declared.name, (1,))[0] if declared is not None else 1
                for path, permission in self._filled(rule.rule, declared, number, getattr(view, "permission", None)):
                    for method in sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"}):
                        if method == "GET" and path.endswith(self._without_form):
                            continue
                        public = bool(getattr(view, "is_public", False))
                        found.append(Address(method, path, permission, public, declared, number))
        return found

    @cached_property
    def _without_form(self) -> tuple[str, ...]:
        """How the addresses of actions end that ask for nothing, and so have no form to show."""
        return tuple(f"/actions/{a.name}" for _p, a in self.registry.contributions(Action) if not a.asks)

    def _owner(self, rule: str) -> DeclaredType | None:
        near = [
            d for d in self.registry.record_types.values() if f"{rule}/".startswith((f"{d.url}/", f"{d.api_path}/"))
        ]
        return max(near, key=lambda d: len(d.url), default=None)

    def _filled(
        self, rule: str, declared: DeclaredType | None, number: int, permission: str | None
    ) -> Iterator[tuple[str, str | None]]:
        names: list[tuple[str, str | None]] = [("1", permission)]
        if "/actions/" in rule and declared is not None:
            actions = [a for _p, a in self.registry.contributions(Action) if a.on is declared.model]
            names = [(a.name, a.permission) for a in actions]
            if rule.startswith(PREFIX):
                names.append(("archive", declared.permission("write")))
        elif "/compose/" in rule:
            names = [(c.name, c.model.__tablename__) for _p, c in self.registry.contributions(Composer)]
        for name, needed in names:
            yield PART.sub(partial(_part, number, name), rule), needed

    def try_out(self, visitor: Visitor, address: Address, *, forged: bool = False) -> TestResponse:
        """Use an address as the platform's own pages and a program would, with the version of the record that was seen."""
        if address.is_safe:
            return visitor.get(address.path)
        version = self._version(address)
        form = {"version": version, "ids": f"{address.number}-{version}", "action": "archive"}
        change = {"op": "archive", "id": address.number, "version": version}
        body = {"operations": [change]} if address.path.endswith("/bulk") else {}
        return visitor.send(address.method, address.path, form=form, json=body, forged=forged)

    def state_of(self, address: Address) -> tuple[int, int] | None:
        """The version of the record at an address and how many there are of its type; None where it is about no record."""
        if address.declared is None:
            return None
        listed = self.administrator.get(f"{address.declared.api_path}?page[size]=1").get_json(silent=True) or {}
        return self._version(address), (listed.get("meta") or {}).get("total", 0)

    def _version(self, address: Address) -> int:
        if address.declared is None:
            return 1
        found = self.administrator.get(f"{address.declared.api_path}/{address.number}").get_json(silent=True) or {}
        return int(found.get("version") or 1)

    def pages(self) -> list[Address]:
        """The addresses that show pages."""
        return [a for a in self.addresses if a.method == "GET" and not a.of_api]

    @cached_property
    def seen(self) -> Mapping[str, TestResponse]:
        """What the administrator sees: every page of the plugin, and those of others where it adds something."""
        paths = [a.path for a in self.pages() if not a.path.endswith(("/export", "/timeline"))]
        paths += ["/", "/reports", *(f"/reports/{name}" for name in self.report_names)]
        if "base.contact" in self.made:
            paths.append(f"/base/contacts/{self.made['base.contact'][0]}?whole=1")
        paths += [f"{d.url}/{self.made[n][0]}?whole=1" for n, d in self.types.items() if n in self.made]
        found = {}
        for path in dict.fromkeys(paths):
            with _heard() as told:
                found[path] = self.administrator.get(path)
            if told:
                self.failed[path] = told
        return found

    @property
    def report_names(self) -> list[str]:
        """The plugin's reports."""
        from comptoir.reports import Report

        return [report.name for plugin, report in self.registry.contributions(Report) if plugin.name == self.name]


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.told.append(record.getMessage() + (f": {type(error).__name__}: {error}" if error is not None else ""))


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What is logged as an error within the block."""
    ear, log = _Ear(), logging.getLogger("comptoir")
    log.addHandler(ear)
    try:
        yield ear.told
    finally:
        log.removeHandler(ear)


def _part(number: int, name: str, part: re.Match[str]) -> str:
    return str(number) if part["kind"] == "int" or part["name"] == "record_id" else name


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that are sent within the block."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@contextmanager
def listening(note: Callable[..., None]) -> Iterator[None]:
    """Tell each statement before it is compiled."""
    event.listen(Engine, "before_execute", note)
    try:
        yield
    finally:
        event.remove(Engine, "before_execute", note)
