"""The two markers; `comptoir.toolkit` hands them on to plugins."""

import pluggy

PROJECT = "comptoir"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
