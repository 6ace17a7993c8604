"""NetSuite's stand-in."""
