"""The `millpond` command line."""
