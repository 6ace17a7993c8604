"""Precoro's stand-in."""
