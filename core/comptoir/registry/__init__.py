"""What one generation knows: the plugins found, loaded, checked, and all they contribute."""
