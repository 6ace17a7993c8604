"""Fingerprints of workflow files, which change with the names in the files although no one edited them.

workflow file  ->  its attributes as earlier versions read them  ->  old fingerprints, replaced in the ledger

Otherwise the next run would treat every workflow as edited: canary batches start again, undo holds end, and rejected
records are sent again.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
from pydantic import ValidationError

from assets.delivery.spec.loader import ATTRIBUTES, read_workflow
from assets.delivery.spec.yaml_file import WorkflowFileError, YamlFile
from orchestration.upgrade.migration import Migration
from resources.warehouse.tables import columns_of, has_table, quoted

COLUMN = "workflow_version"


def renew_fingerprints(con: duckdb.DuckDBPyConnection, folder: Path, migrations: Sequence[Migration]) -> Iterator[str]:
    """Replace the fingerprints that the files had before these migrations; yield a line per file that has problems.

    A fingerprint of an earlier edit of a file stays: it differs from the file's in both versions.
    """
    tables = _tables(con)
    for path in sorted(folder.glob("*/defs.yaml")):
        workflow = path.parent.name
        try:
            new, former = read_workflow(path).version, former_fingerprints(path, migrations)
        except (WorkflowFileError, ValidationError) as error:
            yield f"! the next run treats {workflow} as edited, since its file is not valid: {error}"
            continue
        for old in former:
            _replace(con, tables, workflow, old, new)


def former_fingerprints(path: Path, migrations: Sequence[Migration]) -> set[str]:
    """Return the fingerprints that the version before these migrations may have stored for a file.

    Raises:
        WorkflowFileError: The file is not YAML.
        ValidationError: That version could not have read the file.
    """
    attributes = YamlFile.read(path).content[ATTRIBUTES]
    for migration in reversed(migrations):
        attributes = migration.former_workflow(attributes)
    return set(migrations[0].former_fingerprints(path.parent.name, attributes))


def _tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Every table with a fingerprint."""
    rows = con.execute(
        "select table_name from duckdb_columns() join duckdb_tables() using (database_name, schema_name, table_name)"
        " where database_name = current_database() and column_name = ? order by all",
        [COLUMN],
    ).fetchall()
    return [str(row[0]) for row in rows]


def _replace(con: duckdb.DuckDBPyConnection, tables: Sequence[str], workflow: str, old: str, new: str) -> None:
    own = f"plan_{workflow}"
    if has_table(con, own):
        con.execute(f"update {quoted(own)} set {COLUMN} = ? where {COLUMN} = ?", [new, old])
    for table in tables:
        if table != own and "workflow" in columns_of(con, table):
            statement = f"update {quoted(table)} set {COLUMN} = ? where workflow = ? and {COLUMN} = ?"
            con.execute(statement, [new, workflow, old])
