"""The migrations in order; the last one makes the schema version of this code.

A change of tables, columns, stored values, files, settings or YAML keys is a new migration with a test that starts from
a file of the version before.
"""

from orchestration.upgrade.m0002_plain_names.step import PLAIN_NAMES

MIGRATIONS = (PLAIN_NAMES,)
