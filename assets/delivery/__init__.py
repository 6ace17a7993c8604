"""The engine that all targets share: map, decide, guard, deliver, remember."""
