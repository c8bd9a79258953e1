"""The life of modules in a deployment: planned, enabled, paused, resumed, uninstalled, exported, proved."""
