"""Trying a plugin's code where it can do no harm: a process of its own, with a limit of time."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from comptoir.errors import PluginError
from comptoir.i18n import Text, _
from comptoir.registry.discover import Available

SECONDS = 30.0
"""How long the import of a plugin may take before it is refused."""

REMEMBERED = 60.0
"""For how many seconds a refusal holds before the plugin is tried again."""

DONE = "the trial is over"

TRIAL = f"""
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
import comptoir.toolkit
from comptoir.registry.plugin import readable
print("ready", flush=True)
try:
    getattr(importlib.import_module(sys.argv[2]), "contribute", list)()
except BaseException as error:
    sys.exit(readable(error))
print({DONE!r})
"""

_refused: dict[tuple[str, str], tuple[float, Text]] = {}


def try_out(available: Available) -> None:
    """Refuse a plugin that ends or halts the process which imports it; one that is imported already passes.

    A distribution that is merely installed is a stranger's code: it runs in this process only after this.
    """
    if available.target in sys.modules:
        return
    key = (available.target, available.version)
    until, reason = _refused.get(key, (0.0, None))
    if reason is None or time.monotonic() > until:
        reason = _fault_of(available)
        if reason is None:
            return
        _refused[key] = (time.monotonic() + REMEMBERED, reason)
    raise PluginError(available.name, reason)


def _fault_of(available: Available) -> Text | None:
    command = [sys.executable, "-c", TRIAL, json.dumps(sys.path), available.target]
    # unbuffered, so that the first line is read and nothing of what follows it
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()  # our own code is loaded: from here on it is the plugin that takes time
        try:
            told, complaint = child.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            return _("It cannot be imported: it does not come to an end within {seconds} s.", seconds=round(SECONDS))
    if child.returncode == 0 and told.rstrip().endswith(DONE.encode()):
        return None
    lines = complaint.decode(errors="replace").strip().splitlines()
    return _("It cannot be imported: {reason}", reason=lines[-1][:300] if lines else _("it ends the process"))
