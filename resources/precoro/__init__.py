"""The Precoro client."""
