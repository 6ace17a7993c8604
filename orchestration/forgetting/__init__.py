"""Forget a record: erase its personal values from every place of a home."""
