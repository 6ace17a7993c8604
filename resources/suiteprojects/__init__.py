"""The door to SuiteProjects Pro."""
