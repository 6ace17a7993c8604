"""Copies of NetSuite's tables."""
