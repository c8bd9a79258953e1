"""The list of a record type."""
