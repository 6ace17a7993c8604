"""The SuiteProjects Pro client."""
