"""Contacts and what happens with them: the plugin that is always on."""
