"""NetSuite's tables, copied into the warehouse."""
