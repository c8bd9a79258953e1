"""Was made for a core of the future."""

from comptoir.toolkit import Manifest

manifest = Manifest("Broken", core=">=9")
