"""Desired records: staged NetSuite rows mapped to a target's fields."""
