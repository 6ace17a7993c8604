"""Seeded generation of companies, people and NetSuite reference data."""
