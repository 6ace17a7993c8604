"""Migration 2, from Millpond 0.1 to 0.2: new names of tables, columns, values, files, settings and YAML keys."""
