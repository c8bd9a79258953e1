"""The command line: ``comptoir``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that the arguments name; the entry point of the console script."""
    from comptoir.cli.run import run

    sys.exit(run(sys.argv[1:]))
