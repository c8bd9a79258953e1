"""The measures, one function for each part of the table; ``ONLY`` names them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import orjson
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from benchmarks import importing, servers
from benchmarks.filling import BUSY_CONTACT, Filled, configure, phone_of
from benchmarks.results import Result
from benchmarks.servers import Client, Server
from comptoir.deployment import Deployment
from comptoir.modules.life_cycle import initialise, pause_modules, resume_modules
from comptoir.registry.models import ProcessRow
from comptoir.web.host import REST_SECONDS
from comptoir.web.server import open_host

ROUNDS, TIMES, IDLE_SECONDS = 10, 8, 10
"""Comptoir and the floor take turns: so many rounds of so many requests each, after two turns that do not count."""
NUMBERS = count(1)

CONTACTS = "/api/v1/base/contacts"
LIST = CONTACTS + "?" + urlencode(
    {"fields": "name,kind,status,parent_id,city,country,owner_id,created_at", "sort": "name", "page[size]": 80}
)  # fmt: skip
LIST_PAGE = "/base/contacts?page%5Bsize%5D=80"
JSON = {"Content-Type": "application/json"}


@dataclass(slots=True)
class Stand:
    """A filled deployment, served by one worker beside the floor's one worker."""

    engine: str
    filled: Filled
    folder: Path
    comptoir: Server
    floor: Server

    @property
    def api(self) -> Client:
        """A caller with the manager's token."""
        return Client(self.comptoir.port, {"Authorization": f"Bearer {self.filled.token}"})

    @property
    def browser(self) -> Client:
        """The manager's browser."""
        return Client(self.comptoir.port, self.cookie)

    @property
    def cookie(self) -> dict[str, str]:
        """What the manager's browser sends."""
        return {"Cookie": f"comptoir={self.filled.session}"}

    @property
    def bare(self) -> Client:
        """A caller of the floor."""
        return Client(self.floor.port)

    def serve(self, stack: ExitStack, workers: int) -> Server:
        """Another server of the same deployment."""
        port = servers.free_port()
        return stack.enter_context(
            servers.started(servers.comptoir(self.filled.config, port, workers), port, self.folder / "comptoir.log")
        )

    def serve_floor(self, stack: ExitStack, workers: int) -> Server:
        """Another bare server of the same database."""
        port = servers.free_port()
        environment = {"FLOOR_DATABASE_URL": self.filled.url}
        return stack.enter_context(
            servers.started(servers.floor(port, workers), port, self.folder / "floor.log", environment=environment)
        )

    def compared(
        self,
        measure: str,
        what: str,
        call: Callable[[], object],
        floor: Callable[[], object] | None,
        promise: float | None,
        note: str = "",
        times: int = TIMES,
    ) -> Result:
        """The median time of a request against that of the floor's, taken in turns of so many."""
        mine = _Turns(self.comptoir, call)
        theirs = _Turns(self.floor, floor) if floor is not None else None
        for turns in (mine, theirs):
            if turns is not None:
                turns.warm_up(2 * times)
        for _round in range(ROUNDS):
            mine.take(times)
            if theirs is not None:
                theirs.take(times)
        return Result(
            measure, self.engine, what, mine.median, theirs.median if theirs else None, promise, note=note,
            processor=mine.processor, processor_floor=theirs.processor if theirs else None,
        )  # fmt: skip


class _Turns:
    """The times of one kind of request, and the processor time that its server spent on them."""

    def __init__(self, server: Server, call: Callable[[], object]) -> None:
        self._server = server
        self._call = call
        self._times: list[float] = []
        self._spent = 0.0

    def warm_up(self, times: int = 2 * TIMES) -> None:
        """Calls that do not count, so many for each worker: a database prepares a statement after some in each."""
        for _time in range(times * max(len(self._server.workers), 1)):
            self._call()

    def take(self, times: int = TIMES) -> None:
        before = self._server.processor_seconds()
        for _time in range(times):
            started = time.perf_counter()
            self._call()
            self._times.append(time.perf_counter() - started)
        self._spent += self._server.processor_seconds() - before

    @property
    def median(self) -> float:
        return median(self._times) * 1000

    @property
    def processor(self) -> float:
        return self._spent / len(self._times) * 1000


# -- requests -----------------------------------------------------------------------------------------------------------


def lists(stand: Stand) -> Iterator[Result]:
    """The first page of 80 contacts, as JSON and as a page; page 500 by cursor."""
    api, browser, bare, floor_page = stand.api, stand.browser, stand.bare, stand.bare
    yield stand.compared("list", "list of 80, JSON", lambda: api(LIST), lambda: bare("/contacts"), 2)
    yield stand.compared(
        "list", "list of 80, HTML", lambda: browser(LIST_PAGE), lambda: floor_page("/contacts.html"), 3
    )
    deep, number = LIST, 1
    while number < 500:
        following = orjson.loads(api(deep))["meta"]["page"]["next"]
        if following is None:
            break
        deep, number = f"{LIST}&{urlencode({'page[after]': following})}", number + 1
    mine, first = _Turns(stand.comptoir, lambda: api(deep)), _Turns(stand.comptoir, lambda: api(LIST))
    mine.warm_up()
    for _round in range(ROUNDS):
        mine.take()
        first.take()
    yield Result(
        "list", stand.engine, f"page {number} by cursor", mine.median, first.median, 1.2, processor=mine.processor,
        processor_floor=first.processor, note="floor: page 1 of Comptoir",
    )  # fmt: skip


def record(stand: Stand) -> Iterator[Result]:
    """The page of a contact with eleven deals, ten notes and a history."""
    path = f"/base/contacts/{min(BUSY_CONTACT, stand.filled.contacts)}"
    browser, bare = stand.browser, stand.bare
    measured = stand.compared(
        "record", "record page", lambda: browser(path), lambda: bare(path.removeprefix("/base")), None
    )
    yield Result(
        "record", stand.engine, measured.what, measured.value, None, 15, processor=measured.processor,
        note=f"the floor reads the same rows in {measured.floor or 0:.1f}",
    )  # fmt: skip
    yield Result(
        "record", stand.engine, "queries of the record page", queries(stand, path), promise=12, unit="queries",
        note="sign-in and rights among them",
    )  # fmt: skip
    yield Result(
        "record", stand.engine, "queries of the record page whole", queries(stand, f"{path}?whole=1"), promise=20,
        unit="queries", note="with all that loads after it",
    )  # fmt: skip
    for what, page in (("list page", LIST_PAGE), ("board of deals", "/sales/deals/board")):
        status = stand.browser.ask(page)[0]
        if status == 200:
            yield Result("record", stand.engine, f"queries of the {what}", queries(stand, page), unit="queries")


def queries(stand: Stand, path: str) -> int:
    """The statements that a page sends once it has been shown before; counted in this process."""
    host = open_host(stand.filled.config)
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if threading.current_thread() is threading.main_thread():  # the watch for new generations asks beside it
            sent.append(statement)

    try:
        visitor = host.app.test_client()
        visitor.set_cookie("comptoir", stand.filled.session)
        for _warm in range(2):
            visitor.get(path)
        event.listen(Engine, "before_cursor_execute", note)
        visitor.get(path)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        host.close()
        host.deployment.close()
    return len([statement for statement in sent if not statement.startswith(("BEGIN", "SAVEPOINT", "RELEASE"))])


def write(stand: Stand) -> Iterator[Result]:
    """Creating and changing a contact through the API: rights, rules, hooks, search key, history, outbox."""
    api, bare = stand.api, stand.bare

    def content() -> bytes:
        number = next(NUMBERS)
        return orjson.dumps(
            {
                "name": f"Made {number}", "city": "Iași", "country": "Romania",
                "phones": [{"number": f"+4073{number:07d}"}], "emails": [{"address": f"made{number}@example.com"}],
            }
        )  # fmt: skip

    def bare_content() -> bytes:
        number = next(NUMBERS)
        return orjson.dumps(
            {
                "name": f"Made {number}", "city": "Iași", "country": "Romania",
                "phone": f"+4073{number:07d}", "email": f"made{number}@example.com",
            }
        )  # fmt: skip

    yield stand.compared(
        "write", "create a contact", lambda: api(CONTACTS, "POST", content(), JSON),
        lambda: bare("/contacts", "POST", bare_content(), JSON), 3,
    )  # fmt: skip

    def target() -> int:
        return 1 + next(NUMBERS) * 7 % stand.filled.contacts

    def change() -> bytes:
        return orjson.dumps({"city": f"City {next(NUMBERS)}"})

    yield stand.compared(
        "write", "change a contact", lambda: api(f"{CONTACTS}/{target()}", "PATCH", change(), JSON),
        lambda: bare(f"/contacts/{target()}", "PATCH", change(), JSON), 3,
    )  # fmt: skip


def phone(stand: Stand) -> Iterator[Result]:
    """The contact that calls, by the exact number."""
    api, bare = stand.api, stand.bare
    asked = "fields=name,kind,status,parent_id,city,country,owner_id,created_at"

    def number() -> str:
        return urlencode({"": phone_of(1 + next(NUMBERS) * 13 % stand.filled.contacts)})[1:]

    measured = stand.compared(
        "phone", "contact by exact phone", lambda: api(f"{CONTACTS}?filter[phones.number]={number()}&{asked}"),
        lambda: bare(f"/phone?number={number()}"), 2,
    )  # fmt: skip
    found = orjson.loads(api(f"{CONTACTS}?filter[phones.number]={urlencode({'': phone_of(5)})[1:]}"))["data"]
    if len(found) != 1:
        raise servers.Failed(f"{phone_of(5)} finds {len(found)} contacts")
    yield measured
    yield Result("phone", stand.engine, "contact by exact phone, as a time", measured.value, promise=3)


def search(stand: Stand) -> Iterator[Result]:
    """A fragment of a word among all contacts; fragments, rare and frequent, among the records of all types."""
    api, browser = stand.api, stand.browser
    promise = 50 if stand.filled.contacts >= 1_000_000 else 15

    def fragment() -> str:
        return f"{next(NUMBERS) * 37 % stand.filled.contacts:05d}@exa"

    def everywhere(text: Callable[[], str]) -> Callable[[], object]:
        return lambda: browser(f"/search?{urlencode({'q': text()})}", headers={"HX-Request": "true"})

    for what, call in (
        ("search for a fragment among contacts", lambda: api(f"{CONTACTS}?q={fragment()}&fields=name")),
        ("search everywhere for a fragment", everywhere(fragment)),
        (
            "search everywhere for a frequent word",
            everywhere(lambda: ("maria", "popescu", "office")[next(NUMBERS) % 3]),
        ),
        ("search everywhere for what is nowhere", everywhere(lambda: f"nowhere{next(NUMBERS)}")),
    ):
        found = stand.compared("search", what, call, None, None)
        yield Result("search", stand.engine, what, found.value, promise=promise, processor=found.processor)


def pages(stand: Stand) -> Iterator[Result]:
    """Pages that everybody opens: the dashboard, the board, and a record page with everything on it."""
    busy = min(BUSY_CONTACT, stand.filled.contacts)
    for what, path, promise in (
        ("dashboard", "/", 50),
        ("board of deals", "/sales/deals/board", 60),
        ("record page whole", f"/base/contacts/{busy}?whole=1", 30),
    ):
        found = stand.compared("pages", what, lambda path=path: stand.browser(path), None, None, times=2)  # type: ignore[misc]
        yield Result("pages", stand.engine, what, found.value, promise=promise, processor=found.processor)


def aggregate(stand: Stand) -> Iterator[Result]:
    """All deals by stage and month of closing: number and sum."""
    api, bare = stand.api, stand.bare
    asked = urlencode({"group": "stage,closed_on:month", "measures": "count,amount:sum"})
    yield stand.compared(
        "aggregate", f"{stand.filled.contacts:,} deals by stage and month",
        lambda: api(f"/api/v1/sales/deals/aggregate?{asked}"), lambda: bare("/pipeline"), 1.3, note="floor: the bare SQL", times=2,
    )  # fmt: skip


def dashboard(stand: Stand) -> Iterator[Result]:
    """The start page with every tile of sales, of all deals and of a month."""
    browser, bare = stand.browser, stand.bare
    for period in ("all", "month", "week"):
        yield stand.compared(
            "dashboard", f"dashboard over {stand.filled.contacts:,} deals, {period}",
            partial(browser, f"/?dashboard=1&period={period}"), lambda: bare("/pipeline"), None,
            note="floor: one bare sum over all deals; the promise is 50 ms of processor time", times=2,
        )  # fmt: skip


def throughput(stand: Stand) -> Iterator[Result]:
    """Lists per second with two workers and two clients."""
    with ExitStack() as stack:
        mine, theirs = stand.serve(stack, 2), stand.serve_floor(stack, 2)
        headers = {"Authorization": f"Bearer {stand.filled.token}"}
        rates: dict[int, list[float]] = {mine.port: [], theirs.port: []}
        for server, path, sent in ((mine, LIST, headers), (theirs, "/contacts", {})):
            _Turns(server, partial(_ask_once, server.port, sent, path)).warm_up()
        for _round in range(3):
            for server, path, sent in ((mine, LIST, headers), (theirs, "/contacts", {})):
                rates[server.port].append(_rate(server, path, sent))
        best = {port: max(found[1:]) for port, found in rates.items()}  # the first round warms up
    yield Result(
        "throughput", stand.engine, "lists per second, 2 workers, 2 clients", best[mine.port], best[theirs.port], 0.5,
        unit="/s", at_least=True, note="the clients share the processors with the servers",
    )  # fmt: skip


def _ask_once(port: int, headers: dict[str, str], path: str) -> None:
    """Over a connection of its own, so that whichever worker is free takes it."""
    client = Client(port, headers)
    client(path)
    client.close()


def _rate(server: Server, path: str, headers: dict[str, str], seconds: float = 1.5) -> float:
    done = [0, 0]
    end = time.perf_counter() + seconds

    def visit(place: int) -> None:
        client = Client(server.port, headers)
        while time.perf_counter() < end:
            client(path)
            done[place] += 1

    visitors = [threading.Thread(target=visit, args=(place,)) for place in range(2)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return sum(done) / seconds


# -- deployments --------------------------------------------------------------------------------------------------------


def imports(stand: Stand) -> Iterator[Result]:
    """New contacts from a CSV file by a key, each validated and with its history."""
    found: dict[int, dict[str, float]] = {}
    for rows in (10_000, 30_000):
        file = stand.folder / f"{rows}.csv"
        importing.write_rows(file, 5_000_000 + rows, rows)
        command = [sys.executable, "-m", "benchmarks.importing", str(stand.filled.config), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise servers.Failed(done.stderr[-2000:])
        found[rows] = json.loads(done.stdout)
    few, many = found[10_000], found[30_000]
    yield Result(
        "import", stand.engine, "import of 10,000 rows", few["seconds"], promise=2, unit="s",
        processor=few["processor"] * 1000, note=f"{few['processor']:.2f} s of processor time",
    )  # fmt: skip
    yield Result(
        "import", stand.engine, "peak memory of importing 30,000 rows", many["peak"], few["peak"], 1.2, unit="MiB",
        note="floor: of 10,000 rows",
    )  # fmt: skip


def toggle(stand: Stand) -> Iterator[Result]:
    """Pausing and resuming a module under steady requests, until each of four workers serves it."""
    times, failed, asked = [], [], [0]
    stop = threading.Event()
    with ExitStack() as stack:
        server = stand.serve(stack, 4)
        deployment = stand.filled.open()
        stack.callback(deployment.close)
        since = deployment.clock()
        headers = {"Authorization": f"Bearer {stand.filled.token}"}

        def visit(path: str) -> None:
            client = Client(server.port, headers)
            while not stop.wait(0.02):
                try:
                    status, _body = client.ask(path)
                except OSError as error:
                    failed.append(str(error))
                else:
                    asked[0] += 1
                    if status >= 500 or (status >= 400 and path == LIST):
                        failed.append(f"{path}: {status}")

        visitors = [
            threading.Thread(target=visit, args=(path,)) for path in (LIST, "/api/v1/sales/deals?page[size]=10")
        ]
        _wait_for_workers(deployment, 4, since)
        for visitor in visitors:
            visitor.start()
        try:
            for _time in range(3):
                for deed in (pause_modules, resume_modules):
                    time.sleep(0.3)
                    started = time.perf_counter()
                    deed(deployment, ["sales"])
                    _wait_for_generation(deployment, since)
                    times.append(time.perf_counter() - started)
        finally:
            stop.set()
            for visitor in visitors:
                visitor.join()
    note = f"longest {max(times):.2f} s; {asked[0]} requests meanwhile"
    yield Result("toggle", stand.engine, "module off or on in 4 workers", median(times), promise=1, unit="s", note=note)
    yield Result(
        "toggle",
        stand.engine,
        "failed requests meanwhile",
        len(failed),
        promise=0,
        unit="failed",
        note="; ".join(failed[:2]),
    )


def _processes(deployment: Deployment, since: Any) -> list[int]:
    """The generations of the web processes that reported since then."""
    with Session(deployment.engine) as session:
        return list(session.scalars(select(ProcessRow.generation).where(ProcessRow.seen_at >= since)))


def _wait_for_workers(deployment: Deployment, number: int, since: Any) -> None:
    end = time.monotonic() + 30
    while len(_processes(deployment, since)) < number:
        if time.monotonic() > end:
            raise servers.Failed("the workers did not report")
        time.sleep(0.05)


def _wait_for_generation(deployment: Deployment, since: Any) -> None:
    wanted = deployment.current_generation()
    end = time.monotonic() + 30
    while any(generation < wanted for generation in _processes(deployment, since)):
        if time.monotonic() > end:
            raise servers.Failed(f"a worker did not reach generation {wanted}")
        time.sleep(0.01)


def start(stand: Stand) -> Iterator[Result]:
    """From the command to the first signed-in page."""
    times, spent = [], []
    for _time in range(3):
        port = servers.free_port()
        began = time.perf_counter()
        command = servers.comptoir(stand.filled.config, port)
        with servers.started(command, port, stand.folder / "comptoir.log") as server:
            Client(port, stand.cookie)(LIST_PAGE)
            times.append(time.perf_counter() - began)
            spent.append(server.all_processor_seconds())
    yield Result(
        "start", stand.engine, "cold start to the first signed-in page", median(times), promise=1.5, unit="s",
        note=f"{median(spent):.2f} s of processor time; the page is the list of contacts",
    )  # fmt: skip


def memory(stand: Stand) -> Iterator[Result]:
    """A web worker after everything that was asked of it, at least a hundred pages."""
    browser, api = stand.browser, stand.api
    for number in range(50):
        browser(LIST_PAGE)
        browser(f"/base/contacts/{number + 1}")
        api(LIST)
    for path in ("/", "/sales/deals/board", "/sales/deals"):
        browser.ask(path)
    yield Result(
        "memory", stand.engine, "memory of a web worker after the run", stand.comptoir.memory(), promise=110, unit="MiB"
    )


def fleet(stand: Stand) -> Iterator[Result]:
    """More deployments in one running server: what an empty one takes, and its first page."""
    number = 5
    folder = stand.folder / "fleet"
    first = configure(folder / "source", f"sqlite:///{folder}/source.db")
    opened = Deployment.open(first)
    initialise(opened)
    opened.close()
    for place in range(number + 1):
        shutil.copyfile(folder / "source.db", folder / f"{place}.db")
        configure(folder / "served", f"sqlite:///{folder}/{place}.db", hosts=(f"d{place}.test",), name=f"d{place}")
    port = servers.free_port()
    command = [
        *(sys.executable, "-m", "comptoir.cli", "serve", "--port", str(port), "--workers", "1", "--no-jobs"),
        *("--deployments", str(folder / "served")),
    ]
    with servers.started(command, port, stand.folder / "fleet.log") as server:
        client = Client(port)
        for _warm in range(2 * TIMES):
            client("/login", headers={"Host": "d0.test"})
        before, times = server.own_memory(), []
        for place in range(1, number + 1):
            began = time.perf_counter()
            client("/login", headers={"Host": f"d{place}.test"})
            times.append(time.perf_counter() - began)
        grown = (server.own_memory() - before) / number
        time.sleep(REST_SECONDS + 5)  # until they sleep
        used = server.processor_seconds()
        time.sleep(IDLE_SECONDS)
        idle = (server.processor_seconds() - used) / IDLE_SECONDS * 500 / number
    yield Result("fleet", "sqlite", "one more empty deployment", grown, promise=3, unit="MiB")
    yield Result("fleet", "sqlite", "its first page", median(times), promise=0.5, unit="s", note="the sign-in page")
    yield Result("fleet", "sqlite", "500 idle deployments, of a core", 100 * idle, promise=2, unit="%")


MEASURES: dict[str, Callable[[Stand], Iterator[Result]]] = {
    "list": lists,
    "record": record,
    "write": write,
    "phone": phone,
    "search": search,
    "pages": pages,
    "aggregate": aggregate,
    "dashboard": dashboard,
    "memory": memory,
    "throughput": throughput,
    "start": start,
    "toggle": toggle,
    "import": imports,
    "fleet": fleet,
}
"""By name, in the order in which they run; what changes the number of rows comes late."""

ONCE = frozenset({"fleet"})
"""What does not depend on the engine."""
