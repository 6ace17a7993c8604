"""Syncing selected records within seconds of a change."""
