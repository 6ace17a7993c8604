"""Upgrade of a home made by an earlier version: numbered migrations, copies of the old files, and their order."""
