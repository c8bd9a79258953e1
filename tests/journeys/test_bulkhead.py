"""As many people as the server has threads save at once, and a module waits outside Python: all else goes on."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from comptoir.web.server import THREADS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EMAIL, PASSWORD = "admin@example.com", "comptoir-demo"
BLOCKS = Path(__file__).parent.parent / "broken_plugins" / "comptoir_blocks"
METADATA = "Metadata-Version: 2.1\nName: comptoir-blocks\nVersion: 1.0\n"
ENTRY = "[comptoir.plugins]\nblocks = comptoir_blocks.plugin\n"


@pytest.fixture
def folder(tmp_path: Path, surroundings: dict[str, str], monkeypatch: pytest.MonkeyPatch, run: Any) -> Path:
    """A deployment with the module that blocks, which is installed for this test alone."""
    installed = tmp_path / "installed"
    shutil.copytree(BLOCKS, installed / "comptoir_blocks")
    described = installed / "comptoir_blocks-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(METADATA)
    (described / "entry_points.txt").write_text(ENTRY)
    monkeypatch.setitem(surroundings, "PYTHONPATH", str(installed))
    run("comptoir", "--config", tmp_path / "comptoir.toml", "init", "--admin-email", EMAIL,
        "--admin-password", PASSWORD, "--modules", "blocks")  # fmt: skip
    return tmp_path


def test_reads_and_sign_in_go_on_whilst_all_of_them_wait(
    folder: Path, surroundings: dict[str, str], monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Any]
) -> None:
    monkeypatch.setitem(surroundings, "COMPTOIR_SERVER__PLUGIN_SECONDS", "600")  # which none of them sees
    server = serve(folder)
    browser = server.sign_in(EMAIL, PASSWORD)
    with ThreadPoolExecutor(THREADS) as people:
        for _person in range(THREADS):
            people.submit(server.ask, "GET", "/", headers=browser)
        again = server.sign_in(EMAIL, PASSWORD)
        assert server.ask("GET", "/base/contacts", headers=again).status == 200
        server.stop()


def test_reads_sign_in_and_writes_go_on_and_the_module_is_set_aside(
    folder: Path, surroundings: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., subprocess.CompletedProcess[str]], serve: Callable[..., Any],
) -> None:  # fmt: skip
    monkeypatch.setitem(surroundings, "COMPTOIR_SERVER__PLUGIN_SECONDS", "2")
    server = serve(folder)
    browser = server.sign_in(EMAIL, PASSWORD)

    def save(path: str, **values: str) -> Any:
        page = server.ask("GET", path, headers=browser)
        found = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
        assert found is not None, page.text
        fields = urlencode({"csrf_token": found[1], **values})
        headers = browser | {"Content-Type": "application/x-www-form-urlencoded"}
        return server.ask("POST", path, fields, headers)

    with ThreadPoolExecutor(THREADS) as people:
        for number in range(THREADS):
            people.submit(save, "/base/contacts/new", name=f"Mega Fruct {number}")
        server.until("/settings/modules", browser, lambda _answer, text: "ask_the_service takes longer" in text)
        again = server.sign_in(EMAIL, PASSWORD)
        assert server.ask("GET", "/base/contacts", headers=again).status == 200
        assert save("/base/tasks/new", title="Call back").status == 303
        server.until("/blocks/offer", browser, lambda answer, text: answer.status == 503 and "set aside" in text)
        assert save("/base/contacts/new", name="Mega Fruct").status == 303
        assert "Mega Fruct 1" not in server.ask("GET", "/base/contacts", headers=browser).text
        server.stop()
    assert "blocks" in run("comptoir", "--config", folder / "comptoir.toml", "check", status=1).stdout
