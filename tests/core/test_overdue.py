"""The end of a plugin's time falls on the moment in which its call returns: what follows in the core is not disturbed."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from comptoir.registry.deadlines import Inside, Limited, Overdue, limited

CODE = """
def wait(leave, returned):
    leave.wait()
    returned.set()
"""


class HeldUp:
    """The plugins of a generation, one of them, which holds up a look at its call, after that has seen where the threads are."""

    def __init__(self, plugin: Any) -> None:
        self._plugin = plugin
        self.work: Limited | None = None
        self.seen, self.go_on, self.over = threading.Event(), threading.Event(), threading.Event()

    def items(self) -> list[tuple[str, Any]]:
        if threading.current_thread().name == "deadlines" and self.work is not None and self.work.call is not None:
            if not self.seen.is_set():
                self.work.seconds = 0.001  # by now the call has taken longer
                self.seen.set()
                self.go_on.wait(60)
            elif self.work.raised:
                self.over.set()
        return [("slow", self._plugin)]


def test_nothing_is_raised_in_the_core_once_a_plugin_has_returned(tmp_path: Path) -> None:
    plugin: Any = SimpleNamespace(name="slow", folder=tmp_path, manifest=SimpleNamespace(title="Slow"))
    plugins: Any = HeldUp(plugin)
    names: dict[str, Any] = {}
    exec(compile(CODE, str(tmp_path / "plugin.py"), "exec"), names)
    leave, returned = threading.Event(), threading.Event()
    said: list[str] = []

    def request() -> None:
        with limited(plugins, 1, deployment=plugins, on_stuck=lambda *_told: None) as work:
            plugins.work = work
            try:
                with Inside(plugin):
                    names["wait"](leave, returned)
            except Overdue:
                said.append("ended with the call")
            try:
                while not plugins.over.is_set():
                    pass
            except Overdue:
                said.append("disturbed")
        said.append(f"overdue: {work.plugin}")

    thread = threading.Thread(target=request)
    thread.start()
    assert plugins.seen.wait(60)
    leave.set()
    assert returned.wait(60)
    thread.join(0.2)  # time enough to run into the core, were it not stopped on its way
    plugins.go_on.set()
    thread.join(60)

    assert not thread.is_alive()
    assert [words for words in said if words != "ended with the call"] == ["overdue: slow"]


PROFILED = """
import sys
from comptoir.registry.deadlines import limited

def work():
    pass

with limited({}, 60, deployment=None, on_stuck=lambda *told: None) as request:
    pass
with limited({}, 60, deployment=None, on_stuck=lambda *told: None) as request:
    request.plugin = "slow"  # it was ended, and what was raised in it may not have arrived
sys.setprofile(lambda *event: None)
work()
sys.setprofile(None)
print("went on")
"""


def test_who_profiles_or_debugs_a_process_after_a_request_gets_on() -> None:
    done = subprocess.run([sys.executable, "-c", PROFILED], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "went on\n", done.stderr
