"""Contributes something that is no list."""

from comptoir.toolkit import Manifest, Permission, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return Permission("hook_no_list.go", "Go")
