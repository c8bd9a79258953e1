"""Every test of the repository: the fixtures come from `comptoir.testing`, as they do for a third party's plugin."""
