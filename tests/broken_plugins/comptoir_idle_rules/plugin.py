"""Rules without any function."""

from comptoir.base.models import Contact
from comptoir.toolkit import Manifest, Rules, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return [Rules(Contact)]
