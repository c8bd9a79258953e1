"""The floor: a bare Flask and SQLAlchemy Core server on the same database, which nothing made of these parts can beat."""
