"""People work while an administrator switches a module off and on: no answer fails, every worker follows, nothing is lost."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from tests.drills import FIGURES, LONGER

from comptoir.base.models import Contact
from comptoir.deployment import Deployment
from comptoir.modules.fingerprint import fingerprint
from comptoir.modules.life_cycle import pause_modules, resume_modules
from comptoir.records.write import save
from comptoir.registry.models import ProcessRow
from comptoir.settings import load_settings

pytestmark = [pytest.mark.slow, pytest.mark.drill, pytest.mark.timeout(600 * LONGER)]

EMAIL, PASSWORD = "admin@example.com", "comptoir-demo"
WORKERS, TOGGLES, AGREE_SECONDS = 4, 12 * LONGER, 2.0
"""The seconds are recorded, and measured by the benchmark `toggle`: timings decide no test."""
PAUSE = 0.05
"""Between two pages of a visitor: two of them send some thirty requests in a second."""
SALES = ("/sales/deals", "/sales/deals/board", "/sales/deals/1", "/api/v1/sales/deals",
         "/api/v1/sales/deals/aggregate?group=stage&measures=count,amount:sum")  # fmt: skip
ALWAYS = ("/", "/base/contacts", "/base/contacts/1", "/api/v1/base/contacts?sort=-name")


@pytest.fixture
def folder(tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> Path:
    config = tmp_path / "comptoir.toml"
    run("comptoir", "--config", config, "init", "--admin-email", EMAIL, "--admin-password", PASSWORD,
        "--modules", "sales")  # fmt: skip
    return tmp_path


@pytest.fixture
def deployment(folder: Path, journey_database: str | None) -> Iterator[Deployment]:
    environment = {"COMPTOIR_DEPLOYMENT__DATABASE_URL": journey_database} if journey_database else {}
    opened = Deployment(load_settings(folder / "comptoir.toml", environment))
    yield opened
    opened.close()


def fill(deployment: Deployment) -> None:
    from comptoir_sales.models import Deal

    with deployment.system_context("fill") as ctx:
        contacts = [Contact(name=f"Company {number}") for number in range(40)]
        save(ctx, contacts)
        stages = itertools.cycle(("prospecting", "engaging", "won", "lost"))
        save(ctx, [Deal(name=f"Deal {n}", contact_id=contacts[n % 40].id, stage=next(stages), amount=Decimal(100 * n))
                   for n in range(120)])  # fmt: skip


def sales_rows(deployment: Deployment) -> list[Any]:
    with deployment.engine.connect() as connection:
        names = [n for n in fingerprint(deployment, excluding="base").schema if n.startswith(("sales_", "catalog_"))]
        return [(name, connection.execute(text(f"select * from {name} order by id")).all()) for name in sorted(names)]


class Visitor(threading.Thread):
    """Opens page after page until told to stop, and now and then adds a contact."""

    def __init__(self, server: Any, cookies: dict[str, str], token: str, number: int) -> None:
        super().__init__(name=f"visitor {number}")
        self.server, self.cookies, self.number = server, cookies, number
        self.bearer = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.created: list[int] = []
        self.failures: list[str] = []
        self.done = threading.Event()

    def run(self) -> None:
        for turn in itertools.count():
            for path in (*ALWAYS, *SALES):
                if self.done.wait(PAUSE):
                    return
                self._open("GET", path, self.bearer if path.startswith("/api/") else self.cookies)
            body = json.dumps({"name": f"Made by {self.number} in turn {turn}"})
            made = self._open("POST", "/api/v1/base/contacts", self.bearer, body)
            if made is not None and made.status == 201:
                self.created.append(json.loads(made.text)["id"])

    def _open(self, method: str, path: str, headers: dict[str, str], body: str | None = None) -> Any:
        try:
            answer = self.server.ask(method, path, body, headers)
        except OSError as error:
            self.failures.append(f"{method} {path}: {error!r}")
            return None
        self.statuses[path, answer.status] += 1
        is_wanted = answer.status in (200, 201) or (path in SALES and answer.status == 404)
        if not is_wanted:
            self.failures.append(f"{method} {path}: {answer.status} {answer.text[:300]}")
        return answer


def seconds_to_agree(server: Any, deployment: Deployment, bearer: dict[str, str], expected: int) -> float:
    """How long it takes until every web process serves the present generation, and answers by it."""
    began = time.monotonic()
    generation = deployment.registry.generation
    served: Sequence[int] = ()
    while time.monotonic() < began + 30:
        with deployment.engine.connect() as connection:
            served = connection.scalars(select(ProcessRow.generation).where(ProcessRow.kind == "web")).all()
        if len(served) == WORKERS and set(served) == {generation}:
            agreed = time.monotonic() - began
            found = {server.ask("GET", "/api/v1/sales/deals?page[size]=1", None, bearer).status for _n in range(6)}
            assert found == {expected}
            return agreed
        time.sleep(0.02)
    raise AssertionError(f"workers serve {served}, not {generation}")


def test_modules_are_toggled_under_steady_requests(
    folder: Path,
    deployment: Deployment,
    serve: Callable[..., Any],
    run: Callable[..., Any],
    record_property: Callable[[str, object], None],
) -> None:
    fill(deployment)
    token = run("comptoir", "--config", folder / "comptoir.toml", "tokens", "create", "--user", EMAIL).stdout.split()[0]
    server = serve(folder, "--workers", str(WORKERS))
    bearer = {"Authorization": f"Bearer {token}"}
    before = sales_rows(deployment)
    visitors = [Visitor(server, server.sign_in(EMAIL, PASSWORD), token, number) for number in (1, 2)]
    for visitor in visitors:
        visitor.start()
    waits: list[float] = []
    try:
        for toggle in range(TOGGLES):
            if toggle % 2 == 0:
                pause_modules(deployment, ["sales"])
                waits.append(seconds_to_agree(server, deployment, bearer, 404))
            else:
                resume_modules(deployment, ["sales"])
                waits.append(seconds_to_agree(server, deployment, bearer, 200))
    finally:
        for visitor in visitors:
            visitor.done.set()
        for visitor in visitors:
            visitor.join(timeout=60)

    statuses: Counter[int] = Counter()
    for visitor in visitors:
        for (_path, status), count in visitor.statuses.items():
            statuses[status] += count
    record_property(
        FIGURES,
        f"{TOGGLES} toggles, {sum(statuses.values())} answers: {dict(statuses)}; workers agreed after at most "
        f"{max(waits):.2f} s, {sum(waits) / len(waits):.2f} s on average, promised are {AGREE_SECONDS} s",
    )
    assert [failure for visitor in visitors for failure in visitor.failures] == []
    assert statuses[404] > 0
    assert sales_rows(deployment) == before
    with deployment.engine.connect() as connection:
        names = dict(connection.execute(select(Contact.id, Contact.name)).all())
    created = [record_id for visitor in visitors for record_id in visitor.created]
    assert set(created) == {record_id for record_id, name in names.items() if name.startswith("Made by")}
    assert len(names) == 40 + len(created)
