"""An author's day: a new plugin, its pages and API, and a server that follows every change and survives every slip."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from comptoir.deployment import Deployment
from comptoir.modules.crashes import ALLOWED, count_crash
from comptoir.registry.models import QuarantineRow
from comptoir.settings import load_settings

pytestmark = [pytest.mark.author, pytest.mark.timeout(300)]

Run = Callable[..., "subprocess.CompletedProcess[str]"]
EMAIL, POLISH, PASSWORD = "admin@example.com", "ewa@example.com", "comptoir-demo"


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a new plugin."""
    from comptoir.cli.run import run

    folder = tmp_path_factory.mktemp("author")
    assert run(["plugin", "new", "visits", "--in", str(folder)]) == 0
    return folder / "comptoir-visits"


@pytest.fixture(scope="module")
def surroundings(commands: dict[str, str], journey_database: str | None, plugin: Path) -> dict[str, str]:
    """The environment in which the plugin is installed so that its files count at once."""
    site = plugin.parent / "site"
    if not site.exists():
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
        subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, "--target", str(site), str(plugin)],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
    database = {"COMPTOIR_DEPLOYMENT__DATABASE_URL": journey_database} if journey_database else {}
    return commands | database | {"PYTHONPATH": f"{plugin}:{site}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """A deployment with the plugin switched on."""
    folder = tmp_path_factory.mktemp("acme")
    config = folder / "comptoir.toml"
    run("comptoir", "--config", config, "init", "--admin-email", EMAIL, "--admin-password", PASSWORD)
    run("comptoir", "--config", config, "modules", "enable", "visits", "--yes")
    run("comptoir", "--config", config, "users", "add", POLISH, "--password", PASSWORD, "--role", "Administrator",
        "--language", "pl")  # fmt: skip
    return folder


@pytest.fixture
def files(plugin: Path) -> Any:
    """Changes files of the plugin; each is as it was at the end of the test."""
    kept: dict[Path, str | None] = {}

    def write(name: str, change: Callable[[str], str]) -> Path:
        path = plugin / "comptoir_visits" / name
        before = path.read_text() if path.exists() else None
        kept.setdefault(path, before)
        path.parent.mkdir(exist_ok=True)
        path.write_text(change(before or ""))
        return path

    yield write
    for path, before in kept.items():
        path.unlink() if before is None else path.write_text(before)


@pytest.fixture
def server(serve: Callable[..., Any], folder: Path) -> Any:
    return serve(folder, "--dev")


def shows(text: str) -> Callable[[HTTPResponse, str], bool]:
    return lambda answer, page: answer.status == 200 and text in page


def fails_at(place: str) -> Callable[[HTTPResponse, str], bool]:
    return lambda answer, page: answer.status == 500 and f"<b>{place}</b>" in page


def call(server: Any, token: str, method: str, path: str, body: object = None) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = server.ask(method, f"/api/v1{path}", json.dumps(body), headers)
    assert answer.status < 300, answer.text
    return json.loads(answer.text)


def test_a_new_plugin_has_its_pages_its_api_and_its_record(server: Any, folder: Path, run: Run) -> None:
    token = run("comptoir", "--config", folder / "comptoir.toml", "tokens", "create", "--user", EMAIL).stdout.split()[
        -1
    ]
    contact = call(server, token, "POST", "/base/contacts", {"name": "Kafé Central", "kind": "company"})
    made = call(server, token, "POST", "/visits/visits", {"name": "Taste coffee", "contact_id": contact["id"]})
    assert made["currency"] == "EUR"
    call(server, token, "POST", f"/visits/visits/{made['id']}/actions/postpone", {})
    found = call(server, token, "GET", "/visits/visits?filter[contact.name]=Kafé%20Central".replace("é", "%C3%A9"))
    assert [visit["name"] for visit in found["data"]] == ["Taste coffee"]

    browser = server.sign_in(EMAIL, PASSWORD)
    for page in ("/", "/visits/visits", f"/visits/visits/{made['id']}", f"/base/contacts/{contact['id']}?whole=1"):
        assert "Taste coffee" in server.ask("GET", page, headers=browser).text, page


def test_a_template_a_style_and_a_word_are_there_at_the_next_request(server: Any, files: Any) -> None:
    browser = server.sign_in(EMAIL, PASSWORD)
    assert "fresh from the editor" not in server.ask("GET", "/", headers=browser).text

    files("templates/visits/due.html", lambda text: f"<p>fresh from the editor</p>{text}")
    assert "fresh from the editor" in server.ask("GET", "/", headers=browser).text

    files("static/visits.css", lambda _text: ".visits-fresh { margin: 0 }")
    [sheet] = set(re.findall(r'href="(/static/[^"]+/comptoir\.css)"', server.ask("GET", "/", headers=browser).text))
    assert ".visits-fresh" in server.ask("GET", sheet).text

    polish = server.sign_in(POLISH, PASSWORD)
    files("translations/pl/LC_MESSAGES/messages.po", lambda text: text.replace("Nic nie czeka.", "Cisza i spokój."))
    files("templates/visits/due.html", lambda text: text.replace("{% for one in found %}", "{% for one in [] %}"))
    assert "Cisza i spokój." in server.ask("GET", "/", headers=polish).text


def test_a_change_of_the_code_is_served_and_a_slip_says_where(server: Any, files: Any) -> None:
    browser = server.sign_in(EMAIL, PASSWORD)
    files("models.py", lambda text: text.replace('_("Visits")', '_("Calls on customers")'))
    server.until("/visits/visits", browser, shows("Calls on customers"))

    services = files("services.py", lambda text: text.replace("WEEK = ", "WEEK = = "))
    line = 1 + services.read_text().splitlines().index("WEEK = = dt.timedelta(weeks=1)")
    page = server.until("/visits/visits", browser, fails_at(f"{services}:{line}"))
    assert "SyntaxError" in page
    assert f"{services}:{line}: SyntaxError" in server.log.read_text()

    files("services.py", lambda text: text.replace("WEEK = = ", "WEEK = "))
    server.until("/visits/visits", browser, shows("Calls on customers"))

    files("plugin.py", lambda text: text.replace('"visits.visits",', '"sales.visits",'))
    server.until("/visits/visits", browser, lambda answer, page: answer.status == 500 and "sales.visits" in page)
    files("plugin.py", lambda text: text.replace('"sales.visits",', '"visits.visits",'))
    server.until("/visits/visits", browser, shows("Calls on customers"))
    assert server.process.poll() is None


def test_what_fails_at_a_request_says_where_as_often_as_it_is_tried(server: Any, files: Any) -> None:
    browser = server.sign_in(EMAIL, PASSWORD)
    services = files("services.py", lambda text: text.replace(".limit(10)", ".limit(10 / 0)"))
    server.until("/", browser, lambda answer, page: answer.status == 500)
    for _again in range(5):  # three crashes would set a module aside
        answer = server.ask("GET", "/", headers=browser)
        assert (answer.status, "ZeroDivisionError" in answer.text) == (500, True)
        assert re.search(rf"<b>{re.escape(str(services))}:\d+</b>", answer.text), answer.text
    files("services.py", lambda text: text.replace(".limit(10 / 0)", ".limit(10)"))
    server.until("/", browser, shows("Due next"))

    template = files("templates/visits/due.html", lambda text: text + "{% endfor %}\n")
    answer = server.ask("GET", "/", headers=browser)
    assert answer.status == 500
    assert f"<b>{template}:{len(template.read_text().splitlines())}</b>" in answer.text
    files("templates/visits/due.html", lambda text: text.removesuffix("{% endfor %}\n"))
    assert server.ask("GET", "/", headers=browser).status == 200


def test_a_module_that_was_set_aside_runs_again(server: Any, folder: Path, surroundings: dict[str, str]) -> None:
    browser = server.sign_in(EMAIL, PASSWORD)
    deployment = Deployment(load_settings(folder / "comptoir.toml", surroundings))
    try:
        for _crash in range(ALLOWED + 1):
            count_crash(deployment, "visits", "RuntimeError: of yesterday (services.py, line 3)")
        assert is_set_aside(deployment)
        server.until(
            "/visits/visits", browser, lambda answer, _page: answer.status == 200 and not is_set_aside(deployment)
        )
    finally:
        deployment.close()


def is_set_aside(deployment: Deployment) -> bool:
    with Session(deployment.engine) as session:
        row = session.get(QuarantineRow, "visits")
        return row is not None and row.set_aside


def test_it_ends_when_told_and_leaves_nobody_at_the_port(server: Any) -> None:
    assert server.stop() == 0
    with pytest.raises(OSError, match="refused"):
        server.ask("GET", "/login")


@pytest.mark.parametrize("options, status", [(["--host", "0.0.0.0"], 1), (["--workers", "2"], 2)])
def test_it_serves_this_machine_alone(options: list[str], status: int, folder: Path, run: Run) -> None:
    said = run("comptoir", "--config", folder / "comptoir.toml", "serve", "--dev", *options, status=status).stderr
    assert "--dev" in said
    assert options[1] in said or "--workers" in said


def test_a_new_field_asks_for_its_revision_which_passes_the_linter(
    folder: Path, plugin: Path, server: Any, files: Any, run: Run
) -> None:
    browser, config = server.sign_in(EMAIL, PASSWORD), folder / "comptoir.toml"
    files(
        "models.py",
        lambda text: text.replace("    due_on:", '    place: Mapped[str | None] = text(_("Place"))\n    due_on:'),
    )
    server.until("/", browser, lambda a, page: a.status == 500 and "comptoir plugin revision" in page)
    run("comptoir", "--config", config, "plugin", "revision", "visits", "-m", "Where it is")
    written = plugin / "comptoir_visits" / "migrations" / "versions" / "visits_0002.py"
    try:
        run("comptoir", "--config", config, "upgrade")
        server.until("/", browser, lambda answer, page: answer.status == 200)
        run(sys.executable, "-m", "ruff", "check", written)
        imported = set(re.findall(r"^(?:from|import) (\S+)", written.read_text(), re.MULTILINE))
        assert imported <= {"__future__", "alembic", "sqlalchemy", "comptoir"}
    finally:
        written.unlink()
