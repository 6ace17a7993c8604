"""Typed tables, history, snapshots: one SQL file per table."""
