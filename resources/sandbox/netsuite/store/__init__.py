"""The records of the simulated NetSuite account in SQLite."""
