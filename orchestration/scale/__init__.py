"""Executors and launchers for more than one machine."""
