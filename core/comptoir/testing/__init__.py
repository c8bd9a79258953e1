"""What a test of Comptoir or of a plugin needs: databases, factories and the conformance suite."""
