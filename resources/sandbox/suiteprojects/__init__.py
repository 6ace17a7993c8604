"""A simulated SuiteProjects Pro account."""
