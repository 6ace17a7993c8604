"""The SuiteProjects Pro stand-in."""
