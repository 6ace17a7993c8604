"""The Precoro stand-in."""
