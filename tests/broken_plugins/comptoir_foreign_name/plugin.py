"""Names a permission after another plugin."""

from comptoir.toolkit import Manifest, Permission, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return [Permission("sales.everything", "Take over")]
