"""Extraction: reading NetSuite's tables completely and incrementally."""
