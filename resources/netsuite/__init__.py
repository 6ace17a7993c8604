"""The door to NetSuite."""
