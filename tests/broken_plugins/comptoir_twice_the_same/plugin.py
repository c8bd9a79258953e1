"""Gives one name twice."""

from comptoir.toolkit import Manifest, Permission, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return [Permission("twice_the_same.go", "Go"), Permission("twice_the_same.go", "Go again")]
