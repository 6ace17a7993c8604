"""The NetSuite stand-in's records in SQLite."""
