"""The documentation of the warehouse's tables."""
