"""Erase the personal values of one record from the warehouse."""
