"""Does not parse."""

manifest = Manifest("Broken"
