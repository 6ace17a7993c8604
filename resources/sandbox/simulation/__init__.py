"""Simulated days: edits by people in NetSuite and the targets."""
