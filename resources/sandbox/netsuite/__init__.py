"""The NetSuite stand-in."""
