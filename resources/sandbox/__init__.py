"""Simulated NetSuite, SuiteProjects Pro and Precoro accounts that implement the real protocols."""
