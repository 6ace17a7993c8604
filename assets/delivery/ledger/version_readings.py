"""The readings of marts and targets: the places of versions in the ledger's sequence and in time.

keep_versions()  ->  log_reading()  ->  sync_readings
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from assets.delivery.ledger.sides import MART, TARGET, Side

ALL, SELECTED, WRITTEN, FORGOTTEN = "all", "selected", "written", "forgotten"  # kinds of readings


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One making, reading or writing of a table: a row of sync_readings.

    Attributes:
        kind: ALL, SELECTED, WRITTEN or FORGOTTEN.
        read_at: When, UTC, naive.
        began_position: Place in the ledger's sequence before a reading began; what was written later is not judged.
        fields: The mapped fields; of ALL only.
        personal: Those of them that may hold personal values.
        dated: Fields that depend on the date: they open no version on their own.
    """

    workflow: str
    kind: str
    read_at: datetime
    run_id: str = ""
    workflow_version: str = ""
    began_position: int | None = None
    fields: Sequence[str] = ()
    personal: Sequence[str] = ()
    dated: Collection[str] = ()


def last_reading(con: duckdb.DuckDBPyConnection, side: Side, workflow: str) -> int | None:
    """Return the place of the last reading in the ledger's sequence."""
    query = "select max(position) from sync_readings where workflow = ? and side = ?"
    found: list[tuple[int | None]] = con.execute(query, [workflow, side.name]).fetchall()
    return found[0][0]


def is_other_file(con: duckdb.DuckDBPyConnection, reading: Reading) -> bool:
    """Return whether the mart was last made by another version of the workflow file."""
    query = "select arg_max(workflow_version, position) from sync_readings where workflow = ? and side = ?"
    before = con.execute(query, [reading.workflow, MART.name]).fetchall()[0][0]
    return before is not None and before != reading.workflow_version


def is_after_restore(con: duckdb.DuckDBPyConnection, reading: Reading) -> bool:
    """Return whether a change that is read now may be of a run that a restore of the warehouse has lost."""
    lost = (
        "select 1 from sync_restores where position >= coalesce((select max(position) from sync_readings"
        " where workflow = ? and side = ? and kind = ?), 0) limit 1"
    )
    return reading.kind != WRITTEN and bool(con.execute(lost, [reading.workflow, TARGET.name, ALL]).fetchall())


def log_reading(
    con: duckdb.DuckDBPyConnection, side: Side, reading: Reading, position: int, counts: tuple[int, int]
) -> None:
    """Store a reading, after its versions."""
    is_all = reading.kind == ALL
    row = [
        reading.workflow, side.name, reading.kind, position, reading.began_position, reading.read_at, reading.run_id,
        reading.workflow_version, json.dumps(list(reading.fields)) if is_all else None,
        json.dumps(list(reading.personal)) if is_all else None, *counts,
    ]  # fmt: skip
    con.execute(f"insert into sync_readings values ({', '.join('?' * len(row))})", row)
