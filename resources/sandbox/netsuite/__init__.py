"""A simulated NetSuite account."""
