"""The HTTP API: every record type of the enabled modules, made from its declaration."""

from comptoir.rest.blueprint import create_blueprint
from comptoir.rest.routes import Route, routes

__all__ = ["Route", "create_blueprint", "routes"]
