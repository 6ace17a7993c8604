"""What the engine must know of Precoro."""
