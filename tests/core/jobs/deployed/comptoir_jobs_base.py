"""Stands for the module that is always on."""

from __future__ import annotations

from comptoir.contributions import Manifest

manifest = Manifest(title="Base")
