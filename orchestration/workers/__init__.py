"""Celery's workers on other machines: their steps, their runs, and what is said for one that can no longer speak."""
