"""Chromium on a deployment that a process of its own serves, with a small shop's contacts and deals in it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import comptoir

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ADMIN, PASSWORD = "admin@example.com", "a long enough secret"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
BUILT = Path(comptoir.__file__).parent / "web" / "static" / "vendor" / "htmx.js"
AXE = Path(__file__).parents[2] / "core" / "assets" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
SLOW = 60
"""How many seconds a page may take on a machine that is busy with other things."""
STAGES = ("prospecting", "engaging", "offer_sent", "negotiation")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(SLOW * 10))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a served deployment; it lives as long as the tests of this folder."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    if not BUILT.exists():
        pytest.skip("the web assets are not built: make assets")
    pytest.importorskip("playwright")
    folder = tmp_path_factory.mktemp("shop")
    config = folder / "comptoir.toml"
    _create(config, folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(Path(sys.executable).with_name("comptoir")),
        "--config",
        str(config),
        "serve",
        "--port",
        str(port),
        "--no-jobs",
    ]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/healthz", server, folder / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def _create(config: Path, folder: Path) -> None:
    from comptoir.cli.run import run
    from comptoir.deployment import Deployment

    arguments = ["init", "--database-url", f"sqlite:///{folder / 'comptoir.db'}", "--admin-email", ADMIN]
    assert run(["--config", str(config), *arguments, "--admin-password", PASSWORD, "--modules", "catalog,sales"]) == 0
    deployment = Deployment.open(config)
    try:
        _fill(deployment)
    finally:
        deployment.close()


def _fill(deployment: Any) -> None:
    from comptoir.base.models import Contact
    from comptoir.records.write import save
    from comptoir_sales.models import Deal

    with deployment.system_context("demonstration") as ctx:
        names = ("Bakkerij Van Dijk", "Cafeneaua Veche", "Ресторант Манастирски", "Xəzər Qida", "Złoty Kłos")
        contacts = [Contact(name=name, kind="company", status="regular", city="Cluj") for name in names]
        save(ctx, contacts)
        save(ctx, [
            Deal(name=f"Espresso line {number}", contact_id=contacts[number % 5].id, amount=1000 + number,
                 currency="EUR", stage=STAGES[number % 4])
            for number in range(12)
        ])  # fmt: skip


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SLOW * 2
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def chromium(site: str) -> Iterator[Browser]:
    """One browser for all tests; each gets a fresh profile in it."""
    del site
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def signed_in(chromium: Browser, site: str) -> Any:
    """The cookies of the administrator, who signs in once."""
    context = chromium.new_context(base_url=site)
    context.set_default_timeout(SLOW * 1000)
    page = context.new_page()
    sign_in(page)
    state = context.storage_state()
    context.close()
    return state


def sign_in(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("E-mail").fill(ADMIN)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/$"))


def sign_in_again(page: Page) -> None:
    """Answer the dialog that asks for the password without leaving the page."""
    dialog = page.get_by_role("dialog", name="Your session has ended")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    dialog.wait_for(state="detached")


@pytest.fixture
def profile(chromium: Browser, site: str) -> Iterator[Callable[..., BrowserContext]]:
    """Make a browser profile; whatever its pages say on the console fails the test."""
    opened: list[BrowserContext] = []
    said: list[str] = []

    def create(**options: Any) -> BrowserContext:
        options.setdefault("viewport", {"width": 1440, "height": 900})
        context = chromium.new_context(base_url=site, reduced_motion="reduce", **options)
        context.set_default_timeout(SLOW * 1000)
        context.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        context.on("weberror", lambda error: said.append(str(error.error)))
        opened.append(context)
        return context

    yield create
    for context in opened:
        context.close()
    refusals = ("status of 422", "status of 401", "ERR_INTERNET_DISCONNECTED")
    assert [line for line in said if not any(refusal in line for refusal in refusals)] == []


@pytest.fixture
def page(profile: Callable[..., BrowserContext], signed_in: Any) -> Page:
    """A page of the administrator, who is signed in."""
    return profile(storage_state=signed_in).new_page()


@pytest.fixture
def phone(profile: Callable[..., BrowserContext], signed_in: Any) -> Page:
    """The same on a phone."""
    return profile(storage_state=signed_in, viewport={"width": 375, "height": 812}, has_touch=True).new_page()
