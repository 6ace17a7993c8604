"""Generated companies, people and NetSuite reference data."""
