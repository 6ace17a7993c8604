"""The engine that all targets share: map, compare, plan, guard, send, record."""
