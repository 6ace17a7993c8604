"""Decisions: the desired records compared with the target state."""
