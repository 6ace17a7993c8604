"""Check a record map against its staging table before the mart is made."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import duckdb

from assets.delivery.errors import MappingError
from assets.delivery.spec.expressions import TODAY, source_columns
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import key_column
from assets.netsuite.extract.capabilities import missing_columns
from assets.netsuite.suiteql_file import is_custom_field
from assets.result_texts import named
from resources.warehouse.tables import columns_of, has_table, quoted

MIN_RECORDS = 10  # with fewer, a check box without any value may just be unchecked everywhere


def check_table(con: duckdb.DuckDBPyConnection, record: RecordMap, workflow: str) -> None:
    """Raise MappingError unless the staging table exists, with every column and with values in the required flag."""
    key_column(record.source)
    if not has_table(con, record.table):
        raise MappingError(f"{workflow}: there is no table {record.table} yet; materialize it first")
    where, known = f"{workflow}.{record.source}", columns_of(con, record.table).keys()
    missing = sorted(set(source_columns(record, where)) - known - {TODAY})
    if missing and all(map(is_custom_field, missing)):  # they are read because a workflow file names them
        raise MappingError(
            f"{where}: {record.table} has no {named('column', missing)} yet; `millpond plan {workflow}` reads from"
            " NetSuite what exists there and the role sees"
        )
    if missing:
        raise MappingError(
            f"{where}: {record.table} has no {named('column', missing)}; correct the workflow file. The columns are:"
            f" {', '.join(sorted(known))}"
        )
    flag = record.select.require_flag
    if flag and not _has_values(con, record.table, flag):
        raise MappingError(
            f"{where}: {flag} is blank in every record, so none would be delivered; correct require_flag in the"
            " workflow file, or give NetSuite's role access to the field"
        )


def check_shown(
    con: duckdb.DuckDBPyConnection,
    source: str,
    columns: Iterable[str],
    where: str,
    looked_up: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Raise MappingError unless NetSuite shows every column; its last values, or blanks, would be sent forever."""
    missing = sorted(set(columns) & missing_columns(con, source))
    if missing:
        rows = dict.fromkeys(f"{looked_up[name]}: look-up: " for name in missing if name in looked_up)
        raise MappingError(
            f"{where}: {''.join(rows)}NetSuite shows no {', '.join(missing)} of {source} to this role; give it"
            " access to the field, correct its name, or remove the row from the workflow file. `millpond doctor` checks"
            " it"
        )


def _has_values(con: duckdb.DuckDBPyConnection, table: str, column: str) -> bool:
    counted = con.execute(f"select count(*), count({quoted(column)}) from {quoted(table)}").fetchall()
    records, filled = counted[0]
    return bool(filled or records < MIN_RECORDS)
