"""Housekeeping: dead runs, retention, and compaction."""
