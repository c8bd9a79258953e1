"""Imports what is not there."""

import a_library_that_nobody_has

manifest = a_library_that_nobody_has.manifest
