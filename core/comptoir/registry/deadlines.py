"""How long one call into a plugin's code may take: what takes longer is ended where it stands, and named."""

from __future__ import annotations

import ctypes
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from comptoir.i18n import Text, _
from comptoir.registry.blame import plugin_at
from comptoir.registry.registry import Registry

log = logging.getLogger("comptoir")

LOOKS = 8
"""How often within its limit a call is looked at."""


class Overdue(Exception):
    """Raised inside a plugin's code that takes longer than it may."""


@dataclass(slots=True)
class Limited:
    """Work of one thread whose calls into plugins are limited; `plugin` and `reason` say which of them took too long."""

    registry: Registry
    seconds: float
    call: FrameType | None = None
    since: float = 0.0
    plugin: str | None = None
    reason: Text = ""

    def look(self, thread: int, frame: FrameType | None, now: float) -> None:
        """Raise `Overdue` in the thread once the same call into a plugin has stood for the limit, and again until it is gone."""
        entered, nearest = None, None
        while frame is not None:
            if (owner := plugin_at(self.registry, frame.f_code.co_filename)) is not None:
                entered, nearest = frame, nearest or (owner, frame.f_code.co_qualname)
            frame = frame.f_back
        if entered is not self.call:
            self.call, self.since = entered, now
        elif nearest is not None and now - self.since >= self.seconds:
            name, function = nearest
            if self.plugin is None:
                self.plugin = name
                self.reason = _("{function} takes longer than {seconds} s", function=function, seconds=self.seconds)
                log.error("the module %s is stopped: %s", name, self.reason)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Overdue))


class Watch:
    """One thread that looks at what the limited threads of this process do; it sleeps whilst there are none."""

    def __init__(self) -> None:
        self._limited: dict[int, Limited] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, work: Limited) -> None:
        """Look at the calling thread from now on."""
        with self._changed:
            self._limited[threading.get_ident()] = work
            if self._thread is None or not self._thread.is_alive():  # a fork leaves the thread behind
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            self._changed.notify()

    def remove(self) -> None:
        """Look at the calling thread no more; what was raised in it and has not arrived is taken back."""
        with self._changed:
            del self._limited[threading.get_ident()]
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.get_ident()), None)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._limited:
                    self._changed.wait()
                frames, now = sys._current_frames(), time.monotonic()
                for thread, work in self._limited.items():
                    work.look(thread, frames.get(thread), now)
                pause = min(work.seconds for work in self._limited.values()) / LOOKS
                del frames  # a frame that is kept keeps what its function holds
            time.sleep(pause)


_watch = Watch()


@contextmanager
def limited(registry: Registry, seconds: float) -> Iterator[Limited]:
    """Limit every call into a plugin that this thread makes within; 0 seconds set no limit.

    Python code is stopped between two of its steps. A call that waits inside a library written in C is stopped when that returns.
    """
    work = Limited(registry, seconds)
    if not seconds:
        yield work
        return
    _watch.add(work)
    try:
        yield work
    finally:
        _watch.remove()
        work.call = None
