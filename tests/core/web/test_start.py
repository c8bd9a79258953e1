"""What a process that serves has in memory, and what it has not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable

from sqlalchemy.orm import Session

from comptoir.deployment import Deployment
from comptoir.modules.schema import raise_generation
from comptoir.web.app import create_app
from comptoir.web.host import Host

STARTED = """
import sys
import comptoir.web.server
from comptoir.registry.discover import discover_plugins
from comptoir.registry.registry import build_registry

registry = build_registry(discover_plugins(), ["base", "catalog", "sales"])
assert set(registry.plugins) == {"base", "catalog", "sales"}, registry.quarantined
print(*sys.modules)
"""


def test_a_process_that_serves_imports_neither_demonstration_data_nor_alembic() -> None:
    done = subprocess.run([sys.executable, "-c", STARTED], capture_output=True, text=True, check=True)
    needless = [name for name in done.stdout.split() if name.split(".")[0] == "alembic" or name.endswith("base.demo")]
    needless += [name for name in done.stdout.split() if name in ("comptoir_catalog.demo", "comptoir_sales.demo")]
    assert needless == []


def test_one_thread_watches_every_deployment_of_a_process(deployment: Deployment) -> None:
    def watching() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "generation"]

    hosts = [Host(deployment, create_app), Host(deployment, create_app)]
    [thread] = watching()
    with Session(deployment.engine) as session, session.begin():
        raise_generation(session)
    wanted = hosts[0].generation + 1
    assert until(lambda: [host.generation for host in hosts] == [wanted, wanted])
    for host in hosts:
        host.close()
    thread.join(20)
    assert watching() == []


def until(holds: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        threading.Event().wait(0.02)
    return holds()
