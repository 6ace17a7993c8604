"""Clients for everything outside this process."""
