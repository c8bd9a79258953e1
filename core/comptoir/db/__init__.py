"""The database: column types, the engine, the unit of work, and the declarations of records."""
