"""A tile that shows nothing."""

from comptoir.toolkit import Manifest, Tile, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return [Tile("empty_tile.nothing", "Nothing", "base.contact.read")]
