"""SuiteProjects Pro's stand-in."""
