"""How long one call into a plugin's code may take, and how many may stand in one plugin: what takes longer is ended and named.

Python code is ended between two of its steps. A call that waits outside Python cannot be: its transaction is taken from
it, so that nobody waits for its locks, and its thread is left behind.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from comptoir.db.unit_of_work import take_away
from comptoir.errors import SetAside
from comptoir.i18n import Text, _
from comptoir.registry.blame import plugin_at

if TYPE_CHECKING:
    from comptoir.registry.plugin import Plugin

F = TypeVar("F", bound=Callable[..., Any])
log = logging.getLogger("comptoir")

LOOKS = 8
"""How often within its limit a call is looked at."""
LONGEST_PAUSE = 1.0
"""Seconds between two looks, however long the limit is."""
STANDING = 3
"""How many calls of one deployment may stand in one plugin for longer than a look: the next one is refused."""
TRIES = 3
"""How often a call that takes too long is ended before it counts as stuck."""


class Overdue(Exception):
    """Raised inside a plugin's code that takes longer than it may."""


@dataclass(slots=True)
class Limited:
    """Work of one thread whose calls into plugins are limited; `plugin` and `reason` say which of them took too long."""

    plugins: Mapping[str, Plugin]
    seconds: float
    deployment: object
    """Calls of the same deployment are counted together."""
    on_stuck: Callable[[str, str], None]
    """Called with plugin and reason in a thread of its own, once the work can no longer be ended: it keeps nothing."""
    call: FrameType | None = None
    since: float = 0.0
    standing: str | None = None
    plugin: str | None = None
    reason: Text = ""
    raised: int = 0
    is_stuck: bool = False

    def look(self, thread: int, frame: FrameType | None, now: float) -> None:
        """Raise `Overdue` in the thread once the same call into a plugin has stood for the limit, and again until it is gone."""
        top, entered, nearest = frame, None, None
        while frame is not None:
            if (owner := plugin_at(self.plugins, frame.f_code.co_filename)) is not None:
                entered, nearest = frame, nearest or (owner, frame.f_code.co_qualname)
            frame = frame.f_back
        if entered is not self.call:
            self.call, self.since, self.standing, self.raised = entered, now, None, 0
            return
        if nearest is None:
            return
        self.standing, function = nearest
        if now - self.since < self.seconds or self.is_stuck:
            return
        if self.plugin is None:
            self.plugin = self.standing
            self.reason = _("{function} takes longer than {seconds} s", function=function, seconds=self.seconds)
            log.error("the module %s is stopped: %s", self.plugin, self.reason)
        self.raised += 1
        _raise_in(thread, Overdue)
        if self.raised > TRIES and take_away(thread, top):
            self.is_stuck = True
            log.error("the module %s cannot be stopped, its transaction is taken from it: %s", self.plugin, self.reason)
            told = (self.plugin, str(self.reason))
            threading.Thread(target=self.on_stuck, args=told, name="stuck", daemon=True).start()


def _raise_in(thread: int, error: type[Exception]) -> None:
    """Raise an error in a thread at its next step, instead of one that has not arrived."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def _let_arrive() -> None:
    """Have what was raised in the calling thread arrive here, if it has not: one that is taken back is looked for ever after.

    CPython 3.11 then stops at each call of every thread, and does not get past it while a profiler or a debugger looks on.
    """
    with suppress(Overdue):
        _raise_in(threading.get_ident(), Overdue)
        while True:
            time.sleep(0)


class Watch:
    """One thread that looks at what the limited threads of this process do; it sleeps whilst there are none."""

    def __init__(self) -> None:
        self._limited: dict[int, Limited] = {}
        # a plain lock: nothing can be raised between taking it and the block that gives it back
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None
        self._standing: Counter[tuple[int, str]] = Counter()

    def add(self, work: Limited) -> Limited | None:
        """Look at the calling thread from now on; what was looked at in it so far."""
        me = threading.get_ident()
        with self._lock:
            before = self._limited.get(me)
            self._limited[me] = work
            if self._thread is None or not self._thread.is_alive():  # a fork leaves the thread behind
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
        self._wanted.set()
        return before

    def remove(self, before: Limited | None) -> None:
        """Look at the calling thread as before."""
        me = threading.get_ident()
        with self._lock:
            if before is None:
                self._limited.pop(me, None)
            else:
                self._limited[me] = before

    def refuse_crowded(self, plugin: Plugin) -> None:
        """Raise `SetAside` where as many calls stand in a plugin as may."""
        if not self._standing:
            return
        own = self._limited.get(threading.get_ident())
        if own is not None and self._standing[id(own.deployment), plugin.name] >= STANDING:
            raise SetAside(
                _(
                    "The module {name} does not answer at the moment, so it is left alone. All else works.",
                    name=plugin.manifest.title,
                )
            )

    def settle(self) -> None:
        """Let what is raised in the calling thread arrive here at the latest: nothing does after this, outside a plugin's code."""
        if threading.get_ident() in self._limited:
            with self._lock:  # a look that is under way has seen the thread where it no longer is
                pass

    def stuck(self) -> int:
        """How many threads of this process are stuck in plugins."""
        return sum(work.is_stuck for work in list(self._limited.values()))

    def culprit(self) -> str | None:
        """The plugin whose call the calling thread was ended in."""
        own = self._limited.get(threading.get_ident())
        return own.plugin if own is not None else None

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            with self._lock:
                self.look(time.monotonic())
                works = list(self._limited.values())
                if not works:
                    self._wanted.clear()
                    continue
                pause = min(LONGEST_PAUSE, *(work.seconds / LOOKS for work in works))
            del works
            time.sleep(pause)

    def look(self, now: float) -> None:
        """Look at every thread once, and count what stands."""
        frames = sys._current_frames()
        for thread, work in self._limited.items():
            work.look(thread, frames.get(thread), now)
        self._standing = Counter(
            (id(work.deployment), work.standing) for work in self._limited.values() if work.standing is not None
        )


_watch = Watch()


@contextmanager
def limited(
    plugins: Mapping[str, Plugin], seconds: float, *, deployment: object, on_stuck: Callable[[str, str], None]
) -> Iterator[Limited]:
    """Limit every call into a plugin that this thread makes within; 0 seconds set no limit."""
    work = Limited(plugins, seconds, deployment, on_stuck)
    if not seconds:
        yield work
        return
    before = _watch.add(work)
    try:
        yield work
    finally:
        with suppress(Overdue):  # of a call that has just ended
            _watch.remove(before)
        _watch.remove(before)
        if work.plugin is not None:
            _let_arrive()
        work.call = None


class Inside:
    """A call into a plugin: refused where as many stand in it as may, and not disturbed any more once it has ended."""

    __slots__ = ("_plugin",)

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin

    def __enter__(self) -> None:
        _watch.refuse_crowded(self._plugin)

    def __exit__(self, *_error: object) -> None:
        _watch.settle()


def into(plugin: Plugin, function: F) -> F:
    """A plugin's function, called `Inside` it."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with Inside(plugin):
            return function(*args, **kwargs)

    return call  # type: ignore[return-value]


refuse_crowded, settle, culprit, stuck = _watch.refuse_crowded, _watch.settle, _watch.culprit, _watch.stuck
