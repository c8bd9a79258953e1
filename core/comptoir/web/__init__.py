"""The web interface: pages made on the server from a record type's declarations."""
