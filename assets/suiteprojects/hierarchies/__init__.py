"""SuiteProjects Pro hierarchies: their trees, and the memberships of records in nodes."""
