"""Parity with another connector: what a shadowed workflow would write, beside what the target has, and why."""
