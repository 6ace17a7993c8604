"""A warehouse that was restored from a backup: its ledger lacks what runs sent after the backup.

`millpond restore`  ->  record_restore()  ->  sync_restores  ->  pending_restore(): until a full run has finished

Until then everything is read again, and nothing that was made before is sent: plans, marts and target states of the
backup are void. Whether a value in the target was edited or sent by an unknown run is left open: `sync_links.restored`.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import duckdb

import sql
from assets.delivery.errors import PlanError
from assets.delivery.ledger.certificates import void_certificates
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import PlanState
from assets.delivery.ledger.runs import WHOLE
from assets.delivery.ledger.sequence import last_position
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.ledger.unkeyed import read_unkeyed
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.reading_log import last_reading
from assets.netsuite.record_types import RECORD_TYPES, record_type_of
from resources.warehouse.tables import columns_of, has_table, insert_row, quoted, tables_of

TABLE = "sync_restores"
RAW_PREFIX = "raw_netsuite__"


class Restore(NamedTuple):
    """A row of sync_restores."""

    restore_id: str
    restored_at: datetime
    backup_at: datetime
    position: int
    reading: int
    former: str
    unkeyed: str = "{}"

    @property
    def text(self) -> str:
        """The event in words."""
        return (
            f"the warehouse was restored on {self.restored_at:%Y-%m-%d %H:%M} UTC from a backup of"
            f" {self.backup_at:%Y-%m-%d %H:%M} UTC"
        )


def last_restore(con: duckdb.DuckDBPyConnection) -> Restore | None:
    """Return the newest restore; None if the warehouse was never restored."""
    if not has_table(con, TABLE):
        return None
    names = ", ".join(Restore._fields)
    rows = con.execute(f"select {names} from {TABLE} order by position desc, restored_at desc limit 1").fetchall()
    return Restore(*rows[0]) if rows else None


def pending_restore(con: duckdb.DuckDBPyConnection, workflow: str) -> Restore | None:
    """Return the restore after which no full run of the workflow has finished yet; None if there is none."""
    restore = last_restore(con)
    if restore is None:
        return None
    finished = con.execute(
        "select 1 from sync_runs as run join sync_plans as plan on plan.plan_id = run.plan_id and plan.kind = ?"
        " where run.workflow = ? and run.state in ('finished', 'partial', 'halted') and run.position > ?"
        f" and {WHOLE} limit 1",
        [PlanKind.SYNC, workflow, restore.position],
    ).fetchall()
    return None if finished else restore


def record_restore(
    con: duckdb.DuckDBPyConnection, restore_id: str, moment: datetime, backup_at: datetime, former: str, left: int = 0
) -> None:
    """Record a restore, and end what must not be used after it, in the caller's transaction; a repeated call is one.

    Args:
        con: An open writer section of the restored warehouse.
        restore_id: The restore.
        moment: When, UTC.
        backup_at: When the backup was made, UTC.
        former: Folder that has the files from before.
        left: Number of the last checkpoint of the ledger that was left behind; 0 if it had none.
    """
    ensure_ledger(con)
    if con.execute(f"select 1 from {TABLE} where restore_id = ?", [restore_id]).fetchall():
        return
    position, reading, unkeyed = last_position(con), last_reading(con).number, json.dumps(_unkeyed(con))
    restore = Restore(restore_id, moment, backup_at, position, reading, former, unkeyed)
    insert_row(con, TABLE, restore._asdict())
    con.execute(
        "update sync_plans set state = ?, state_at = ?, note = ? where state in (?, ?)",
        [PlanState.EXPIRED, moment, restore.text, PlanState.READY, PlanState.WAITING],
    )
    con.execute("update sync_links set restored = ?", [f"{restore.restored_at:%Y-%m-%d %H:%M:%S}"])
    con.execute("delete from sync_inputs")
    void_certificates(con, moment, restore.text)
    rows = con.execute("select coalesce(max(number), 0) from sync_checkpoints").fetchall()
    details = {"restore_id": restore_id, "backup_at": str(backup_at), "kept": rows[0][0], "left": left}
    record_event(con, Event(event=Happened.RESTORED, at=moment, details=details))


def unkeyed_in_backup(con: duckdb.DuckDBPyConnection, workflow: str) -> list[str]:
    """Return the target ids of the records without our key that the target already had at the time of the backup."""
    restore = last_restore(con)
    return list(json.loads(restore.unkeyed).get(workflow, [])) if restore else []


def _unkeyed(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The target ids of the records without our key, by workflow."""
    names = sorted(each for each in tables_of(con) if each.startswith("target_"))
    return {
        name.removeprefix("target_"): sorted(read_unkeyed(con, name))
        for name in names
        if {"target_id", "external_id"} <= columns_of(con, name).keys()
    }


def require_reads_since_restore(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> None:
    """Raise if a restored warehouse would make the mart from values that are older than those that were sent.

    Raises:
        PlanError: NetSuite, or a table of another workflow, was not read again since; it names what to materialize.
    """
    restore = pending_restore(con, workflow.name)
    if restore is None:
        return
    tables = {*(record.table for record in workflow.spec.records), *(each.table for each in workflow.spec.lookups)}
    unread = sorted({each for table in tables for each in _unread(con, table, restore)})
    unread += [name for name in workflow.spec.upstream if pending_restore(con, name) and _has_links(con, name)]
    if unread:
        raise PlanError(
            f"{workflow.name}: {restore.text}, and this has not been read or run since: {', '.join(unread)};"
            " `millpond run all` reads and runs everything, in order"
        )


def require_target_read_since_restore(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> None:
    """Raise PlanError, with the assets to materialize, if the target state is that of a backup."""
    restore = pending_restore(con, workflow.name)
    if restore:
        raise PlanError(
            f"{workflow.name}: {restore.text}; materialize {workflow.mart}, {workflow.target_state} and"
            f" {workflow.plan}, so that the target is read again"
        )


def _unread(con: duckdb.DuckDBPyConnection, table: str, restore: Restore) -> Iterator[str]:
    """Yield what has to be materialized before a table has current values."""
    if table.startswith(("target_", "mart_")):
        if not con.execute("select 1 from sync_inputs where table_name = ?", [table]).fetchall():
            yield table
    elif table.startswith(STAGING_PREFIX):
        raw_tables = sql.statement("staging", table).reads
        stale = [raw for raw in raw_tables if not _was_read(con, raw, restore)]
        yield from stale
        if not stale and any(has_unstaged_rows(con, table, raw) for raw in raw_tables):
            yield table


def _was_read(con: duckdb.DuckDBPyConnection, raw_table: str, restore: Restore) -> bool:
    """Return whether a read of all changes of a raw table was written after the restore."""
    found = [each for each in RECORD_TYPES.values() if raw_table in each.raw_tables]
    record_type = found[0] if found else record_type_of(raw_table.removeprefix(RAW_PREFIX))
    query = "select 1 from netsuite_reads where record_type = ? and mode <> 'selected' and reading > ? limit 1"
    return bool(con.execute(query, [record_type.name, restore.reading]).fetchall())


def has_unstaged_rows(con: duckdb.DuckDBPyConnection, table: str, raw_table: str) -> bool:
    """Return whether a raw table has rows that its staging table does not have yet."""
    if not has_table(con, "stg_builds") or "_extracted_at" not in columns_of(con, raw_table):
        return False
    query = (
        f"select 1 from {quoted(raw_table)} where _extracted_at > coalesce((select max(through) from stg_builds"
        " where staging_table = ? and raw_table = ?), '-infinity'::timestamp) limit 1"
    )
    return bool(con.execute(query, [table, raw_table]).fetchall())


def _has_links(con: duckdb.DuckDBPyConnection, workflow: str) -> bool:
    return bool(con.execute("select 1 from sync_links where workflow = ? limit 1", [workflow]).fetchall())
