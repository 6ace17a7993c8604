"""Workflow files: their schema, loading, and validation."""
