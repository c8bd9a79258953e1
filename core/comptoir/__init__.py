"""Comptoir: a pluggable platform for customer relationships."""

__version__ = "0.1.0"
