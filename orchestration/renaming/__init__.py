"""Renaming a workflow: its files, its tables and what the ledger knows of it."""
