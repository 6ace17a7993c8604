"""The door to Precoro."""
