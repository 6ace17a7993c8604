"""Sending a plan: batches, outcomes, and confirmation."""
