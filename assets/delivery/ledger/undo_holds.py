"""Undo holds: records that an undo reverted stay untouched until their source or the workflow file changes.

undo  ->  sync_undo_holds  ->  read_undo_holds()  ->  decide; sent again, or changed  ->  deleted

A hold begins with the intent of its write, so that it outlives a process that dies before the response.
"""

import json
from collections.abc import Iterable, Iterator

import duckdb
import polars as pl

from assets.delivery.schemas import DELIVER, KEY, MISSING, RETIRE, UNDO_HOLD_SCHEMA, SourceKey, keys_frame
from resources.warehouse.tables import insert_frame, literal, quoted, read_frame


def read_undo_holds(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """Return the undo holds of a workflow: UNDO_HOLD_SCHEMA."""
    holds = read_frame(
        con,
        "select source, source_id, payload_hash as hold_hash, disposition as hold_disposition,"
        " workflow_version as hold_version, undone_run from sync_undo_holds where workflow = ?",
        [workflow],
    )
    return holds if holds.height else pl.DataFrame(schema=UNDO_HOLD_SCHEMA)


def without_mapped(holds: pl.DataFrame, plan: pl.DataFrame, mart: pl.DataFrame, active_field: str) -> pl.DataFrame:
    """Return the holds of records that an undo gives other values than NetSuite's: of the others nothing is to be held.

    The undo of an undo brings back the values of NetSuite.

    Args:
        holds: Rows of sync_undo_holds.
        plan: PLAN_COLUMNS: the undo.
        mart: The current mart.
        active_field: The field that switches a record off.
    """
    rows = mart.join(holds, on=KEY, how="semi")
    desired = {SourceKey(row["source"], row["source_id"]): row for row in rows.iter_rows(named=True)}
    inactive = {*_keys(rows.filter(disposition=RETIRE)), *_below_retired(rows.filter(disposition=DELIVER), mart)}
    mapped = []
    for row in plan.drop_nulls("payload").iter_rows(named=True):
        key, sent = SourceKey(row["source"], row["source_id"]), json.loads(row["payload"])
        wanted = desired.get(key)
        if wanted is None:
            continue
        names = [active_field] if key in inactive else [name for name in sent if name in wanted]
        values = {**wanted, active_field: "0"} if key in inactive else wanted
        same = all((sent.get(name) or None) == (values[name] or None) for name in names)
        place = ("parent_source", "parent_source_id")
        if same and wanted["disposition"] in {DELIVER, RETIRE} and all(row[name] == wanted[name] for name in place):
            mapped.append(key)
    return holds.join(keys_frame(mapped), on=KEY, how="anti")


def _keys(rows: pl.DataFrame) -> Iterator[SourceKey]:
    return map(SourceKey._make, rows.select(KEY).iter_rows())


def _below_retired(rows: pl.DataFrame, mart: pl.DataFrame) -> Iterator[SourceKey]:
    """Yield the rows of a mart that have a retired record above them, with which they are switched off."""
    place = ["parent_source", "parent_source_id"]
    above = rows.select(*KEY, *place)
    known = mart.select(
        *(pl.col(name).alias(below) for name, below in zip(KEY, place, strict=True)),
        "disposition",
        *(pl.col(name).alias(f"next_{name}") for name in place),
    )
    for _ in range(int(str(mart["level"].max() or 0))):
        above = above.join(known, on=place)
        yield from _keys(above.filter(disposition=RETIRE))
        above = above.select(*KEY, *(pl.col(f"next_{name}").alias(name) for name in place))


def begin_undo_holds(con: duckdb.DuckDBPyConnection, holds: pl.DataFrame) -> None:
    """Insert the holds (rows of sync_undo_holds) of records that an undo is about to write and that have none yet."""
    con.execute("create or replace temp table _begun as from sync_undo_holds limit 0")
    insert_frame(con, "_begun", holds)
    con.execute(
        "insert into sync_undo_holds by name from _begun anti join sync_undo_holds using (workflow, source, source_id)"
    )


def drop_undo_holds(con: duckdb.DuckDBPyConnection, workflow: str, sent: pl.DataFrame) -> None:
    """Delete the holds that began with writes (KEY, run_id) that did not arrive."""
    con.execute("create or replace temp table _not_arrived (source varchar, source_id varchar, run_id varchar)")
    insert_frame(con, "_not_arrived", sent)
    con.execute(
        "delete from sync_undo_holds where workflow = ? and (source, source_id, run_id) in (select"
        " (source, source_id, run_id) from _not_arrived)",
        [workflow],
    )


def end_undo_holds(con: duckdb.DuckDBPyConnection, workflow: str, keys: Iterable[SourceKey]) -> None:
    """Delete the holds of records that were sent again: restoring the undone values is then a change like any other."""
    con.execute("create or replace temp table _sent_again (source varchar, source_id varchar)")
    insert_frame(con, "_sent_again", keys_frame(keys))
    con.execute(
        "delete from sync_undo_holds where workflow = ?"
        " and (source, source_id) in (select (source, source_id) from _sent_again)",
        [workflow],
    )


def end_changed_holds(
    con: duckdb.DuckDBPyConnection, workflow: str, mart: str, version: str, plan: pl.DataFrame
) -> None:
    """Delete the holds of records that a plan found changed in NetSuite, or below a retired one, or mapped otherwise.

    Whatever was decided of them: a record that NetSuite changes back and forth does not return under its former hold.
    A record that could not be read, or of which a value is unknown, has not changed.

    Args:
        con: An open writer section.
        workflow: The workflow's name.
        mart: Its mart.
        version: Fingerprint of the workflow file that made the plan.
        plan: PLAN_COLUMNS, made from the mart; records whose mart has changed since keep their hold.
    """
    columns = [*KEY, "payload_hash", "reason_code"]
    con.execute(f"create or replace temp table _decided ({', '.join(f'{name} varchar' for name in columns)})")
    insert_frame(con, "_decided", plan.select(columns))
    con.execute(
        "delete from sync_undo_holds as hold using _decided as decided"
        f" join {quoted(mart)} as mart using (source, source_id, payload_hash)"
        " where hold.workflow = $workflow and hold.source = decided.source and hold.source_id = decided.source_id"
        f" and mart.disposition in ('{DELIVER}', '{RETIRE}') and mart.reason_code is distinct from {literal(MISSING)}"
        " and (decided.reason_code = 'parent_inactive' or (hold.payload_hash, hold.disposition, hold.workflow_version)"
        " is distinct from (decided.payload_hash, mart.disposition, $version))",
        {"workflow": workflow, "version": version},
    )
