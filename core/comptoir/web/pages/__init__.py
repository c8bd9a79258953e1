"""The pages that every record type and every deployment has."""
