"""The Precoro adapter of the delivery engine."""
