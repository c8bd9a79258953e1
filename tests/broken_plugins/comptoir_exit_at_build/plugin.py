"""Ends the process that asks what it contributes."""

import sys

from comptoir.toolkit import Manifest, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    sys.exit(3)
