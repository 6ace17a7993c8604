"""SuiteQL, parsed and translated to SQLite."""
