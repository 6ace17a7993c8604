"""Alerts: conditions, deduplication, and delivery to receivers."""
