"""A rule that takes something else than rules are called with."""

from comptoir.base.models import Contact
from comptoir.toolkit import Manifest, Rules, hookimpl

manifest = Manifest("Broken")


def check_contacts(changes):
    return []


@hookimpl
def contribute():
    return [Rules(Contact, check=check_contacts)]
