"""The OpenAPI 3.1 description of exactly what a generation serves."""

from comptoir.rest.openapi.document import build_document

__all__ = ["build_document"]
