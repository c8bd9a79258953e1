"""What the clock and the workers need of a deployment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Engine

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.contributions import Job

Handler = Callable[["Context", dict[str, Any]], object]
"""Does deferred work; called with a system context and the arguments given to `enqueue`, at least once."""


class Registry(Protocol):
    @property
    def generation(self) -> int: ...
    @property
    def plugins(self) -> Mapping[str, Any]: ...
    @property
    def hooks(self) -> Any: ...
    @property
    def jobs(self) -> Mapping[str, Job]: ...
    @property
    def handlers(self) -> Mapping[str, Handler]: ...


class Host(Protocol):
    @property
    def engine(self) -> Engine: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def clock(self) -> Callable[[], datetime]: ...
    @property
    def timezone(self) -> tzinfo: ...

    def refresh(self) -> object:
        """Serve the current generation from now on, when it has changed."""

    def system_context(self, reason: str, *, write: bool = True) -> AbstractContextManager[Context]:
        """A context with all rights in one transaction, committed when the block ends well."""
