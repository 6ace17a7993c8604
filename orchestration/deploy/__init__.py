"""Deployment files for Dagster, Celery, Compose and Helm."""
