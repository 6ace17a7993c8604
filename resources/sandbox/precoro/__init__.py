"""A simulated Precoro."""
