"""What the engine must know of SuiteProjects Pro."""
