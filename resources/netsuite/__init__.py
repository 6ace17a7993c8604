"""The NetSuite client."""
