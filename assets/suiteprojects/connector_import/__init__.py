"""Oracle NetSuite Connector mapping exports converted to workflow files."""
