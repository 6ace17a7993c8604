"""The DuckDB or DuckLake warehouse."""
