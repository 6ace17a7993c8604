"""Backup of a home into one archive, and its restore."""
