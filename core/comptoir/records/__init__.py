"""Record types and what happens to records: declared, changed, read, moved in and out."""
