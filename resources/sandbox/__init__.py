"""Stand-ins of the three systems that speak their real wire protocols."""
