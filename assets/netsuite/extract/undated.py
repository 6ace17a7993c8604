"""Rows without a date of change: a query for changes never reports them, so they are read in every run, and named.

one question for all tables of a run  ->  has_undated()  ->  they are read as well  ->  warn_of_undated()

The role may lack the permission for the field, from the first day on. Beyond `ExtractionSettings.undated_rows` of a
table its runs stay bounded: only the comparison of ids and the rolling reading of values find their changes, and the
warning says so.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress

import duckdb

from assets.netsuite.extract.reader import BEFORE_ALL, Reader
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES, RecordType
from assets.result_texts import counted
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.rejected_columns import REJECTIONS
from resources.scalars import as_whole
from resources.warehouse.tables import columns_of, quoted

NAMED = 8  # ids in a warning


def undated_keys(con: duckdb.DuckDBPyConnection, record_type: RecordType) -> list[str]:
    """Return the keys of the live rows without a date of change; none if the type is read in full anyway."""
    key, date = record_type.query.key, record_type.modified.rpartition(".")[2]
    parts = [
        f"select {quoted(key)} as key from {quoted(table)}"
        f" where _deleted_at is null and coalesce(trim({quoted(date)}), '') = ''"
        for table in record_type.raw_tables
        if date in columns_of(con, table)
    ]
    if not date or not parts:
        return []
    rows = con.execute(f"select key from ({' union all '.join(parts)}) order by try_cast(key as bigint)").fetchall()
    return [row[0] for row in rows]


def has_undated(client: NetSuiteClient, record_type: RecordType, settings: ExtractionSettings) -> bool:
    """Return whether NetSuite may show rows without a date of change."""
    return count_undated(client, RECORD_TYPES.values(), settings).get(record_type.name, 1) > 0


def count_undated(
    client: NetSuiteClient, types: Iterable[RecordType], settings: ExtractionSettings
) -> Mapping[str, int]:
    """Return the number of rows without a date by record type, asked in one call for all tables of a run."""
    dated = [each for each in types if each.modified]
    return client.cached("undated", "", lambda: _counts(client, dated, settings.optional_tables))


def _counts(client: NetSuiteClient, types: Sequence[RecordType], optional: Collection[str]) -> Mapping[str, int]:
    """Return the numbers of all these types, else of those that every account has, else none."""
    common = [each for each in types if not (each.optional or {each.name, each.table} & {*optional})]
    for asked in filter(None, (types, common)):
        query = " union all ".join(each.query.count(each.name, [no_date(each)]) for each in asked)
        with suppress(*REJECTIONS):
            rows = client.suiteql(query, [str(BEFORE_ALL)] * len(asked))
            counts = {row.get("which", ""): as_whole(row.get("n")) for row in rows}
            return {name: number for name, number in counts.items() if number is not None}
    return {}


def no_date(record_type: RecordType) -> str:
    """Return the SuiteQL condition of the rows without a date of change."""
    return f"{record_type.modified} is null"


def warn_of_undated(con: duckdb.DuckDBPyConnection, reader: Reader, settings: ExtractionSettings) -> None:
    """Add a warning that names the rows without a date of change."""
    keys = undated_keys(con, reader.record_type)
    if keys:
        outcome = (
            "so they are read in every run"
            if len(keys) <= settings.undated_rows
            else "too many to read in every run: their changes are found within MILLPOND_VERIFY_DAYS"
        )
        named = _named(keys)
        reader.warn(
            f"{counted(len(keys), 'rows')} without lastmodifieddate, NetSuite ids {named}; NetSuite cannot report that"
            f" they changed, {outcome}. Give the role access to the field"
        )


def _named(keys: Sequence[str]) -> str:
    return ", ".join(keys[:NAMED]) + (" …" if len(keys) > NAMED else "")
