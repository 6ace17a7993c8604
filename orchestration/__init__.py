"""Definitions, schedules, sensors, command line and web server."""
