"""SuiteProjects Pro hierarchies: trees, nodes, and memberships."""
