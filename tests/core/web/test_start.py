"""What a process that serves has in memory, and what it has not."""

from __future__ import annotations

import subprocess
import sys

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
