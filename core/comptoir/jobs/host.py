"""What the clock and the workers need of a deployment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Protocol

from comptoir import edge
from comptoir.settings import Settings


class Host(edge.Host, Protocol):
    @property
    def clock(self) -> Callable[[], datetime]: ...
    @property
    def timezone(self) -> tzinfo: ...
    @property
    def settings(self) -> Settings: ...

    def refresh(self) -> object:
        """Serve the current generation from now on, when it has changed."""
