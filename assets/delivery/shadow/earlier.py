"""The values that a workflow would have written of earlier versions of NetSuite's records.

hist_netsuite__<records>  ->  the same mapping, on the version before, and the one before that  ->  Earlier

The mapping reads staging tables, so earlier versions take their rows' places in a transaction that is rolled back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

from assets.delivery.mart.build import today_of, transform_records
from assets.delivery.mart.lookup import Lookups, SystemReader, read_lookups
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import DELIVER, KEY, SourceKey
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import STAGING_PREFIX, key_column
from resources.warehouse.tables import columns_of, has_table, insert_frame, quoted, read_frame

VERSIONS = 5  # before the current one
MAX_RECORDS = 5000  # of which earlier versions are looked at
_HISTORY_PREFIX = "hist_netsuite__"


@dataclass(frozen=True)
class Earlier:
    """One earlier version: what would have been written, and NetSuite's time of the change that ended it."""

    values: Mapping[str, str | None]
    is_selected: bool
    changed_at: datetime | None


def earlier_values(
    run: RunContext, keys: Sequence[SourceKey], read_system: SystemReader | None = None
) -> dict[SourceKey, list[Earlier]]:
    """Return the earlier versions of records, the newest first; of records without a history nothing.

    At most MAX_RECORDS records are looked at.
    """
    found: dict[SourceKey, list[Earlier]] = {}
    chosen = list(keys)[:MAX_RECORDS]
    if not chosen:
        return found
    lookups = read_lookups(run.warehouse, run.workflow, read_system)
    with run.warehouse.trial() as con:
        for record in run.workflow.spec.records:
            ids = [key.source_id for key in chosen if key.source == record.source]
            if ids and has_table(con, _history(record)):
                _collect(con, run, record, ids, lookups, found)
    return found


def _history(record: RecordMap) -> str:
    return _HISTORY_PREFIX + record.table.removeprefix(STAGING_PREFIX)


def _collect(
    con: duckdb.DuckDBPyConnection, run: RunContext, record: RecordMap, ids: Sequence[str], lookups: Lookups,
    found: dict[SourceKey, list[Earlier]],
) -> None:  # fmt: skip
    key, history = quoted(key_column(record.source)), quoted(_history(record))
    columns = [name for name in columns_of(con, record.table) if name in columns_of(con, _history(record))]
    names, fields = ", ".join(map(quoted, columns)), run.workflow.spec.target_fields
    con.execute("create or replace temp table _versions_of (source_id varchar)")
    insert_frame(con, "_versions_of", pl.DataFrame({"source_id": list(ids)}))
    modified = "modified_at" if "modified_at" in columns else "null::timestamp"
    con.execute(
        f"create or replace temp table _versions as select {names}, row_number() over newest as _age,"
        f" lag(coalesce({modified}, valid_from)) over newest as _changed_at from {history}"
        f" where {key} in (select source_id from _versions_of)"
        f" window newest as (partition by {key} order by valid_from desc)"
    )
    for age in range(2, VERSIONS + 2):
        keys = read_frame(
            con, f"select ? as source, {key} as source_id, _changed_at from _versions where _age = ?",
            [record.source, age],
        )  # fmt: skip
        if keys.is_empty():
            return
        con.execute(
            f"delete from {quoted(record.table)} where {key} in (select {key} from _versions where _age = ?)", [age]
        )
        con.execute(f"insert into {quoted(record.table)} by name select {names} from _versions where _age = ?", [age])
        rows = transform_records(con, run.workflow, keys.select(KEY), lookups, today_of(run.workflow, run.clock))
        changed = {SourceKey(source, source_id): at for source, source_id, at in keys.iter_rows()}
        for row in rows.iter_rows(named=True):
            of = SourceKey(row["source"], row["source_id"])
            values = {name: row[name] for name in fields}
            found.setdefault(of, []).append(Earlier(values, row["disposition"] == DELIVER, changed.get(of)))
