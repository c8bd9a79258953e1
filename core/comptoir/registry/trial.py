"""Trying a plugin's code where it can do no harm: a process of its own, with a limit of time."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from comptoir.errors import PluginError
from comptoir.i18n import Text, _
from comptoir.registry.discover import Available

SECONDS = 15.0
"""How long the import of a plugin may take before it is refused."""

REMEMBERED = 60.0
"""For how many seconds a refusal holds before the plugin is tried again."""

DONE = "the trial is over"

TRIAL = f"""
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
from comptoir.registry.plugin import readable
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
    try:
        ran = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return _("It cannot be imported: it does not come to an end within {seconds} s.", seconds=round(SECONDS))
    if ran.returncode == 0 and ran.stdout.rstrip().endswith(DONE):
        return None
    lines = ran.stderr.strip().splitlines()
    return _("It cannot be imported: {reason}", reason=lines[-1][:300] if lines else _("it ends the process"))
