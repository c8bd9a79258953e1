"""The translations of the core and of the plugins of this repository.

Without an argument: compile each `.po` file that changed to the `.mo` beside it. With ``extract``: collect the messages
of the code and the templates into each `messages.pot` and bring the `.po` files of all languages in step with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from comptoir.catalogues import compile_catalogues, extract

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "Comptoir"


def packages() -> list[Path]:
    """The package folders that have messages: the core and each plugin."""
    return [ROOT / "core" / "comptoir", *sorted(ROOT.glob("plugins/*/comptoir_*/"))]


def compile_changed() -> None:
    """Write the `.mo` of each `.po` that is newer."""
    for package in packages():
        for path in compile_catalogues(package):
            print(f"compiled {path.relative_to(ROOT)}")


if __name__ == "__main__":
    if sys.argv[1:] == ["extract"]:
        for package in packages():
            extract(package, PROJECT)
    else:
        compile_changed()
