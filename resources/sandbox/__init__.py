"""Faithful stand-ins of the three systems."""
