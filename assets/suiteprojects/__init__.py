"""The SuiteProjects Pro adapter of the delivery engine."""
