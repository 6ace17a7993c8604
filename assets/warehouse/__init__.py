"""Typed tables, one SQL file each."""
