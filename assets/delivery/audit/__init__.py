"""Independent checks and the history of a single record."""
