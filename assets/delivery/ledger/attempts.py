"""The ledger's attempts: an intent before each send, its outcome after it, append-only.

deliver, recovery  ->  write_attempts()  ->  sync_attempts  ->  open_intents(), unfinished_creates(), read_rejected()
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import duckdb
import polars as pl

from assets.delivery.schemas import KEY, REJECTED_SCHEMA
from assets.delivery.target import UNFINISHED
from resources.warehouse.tables import has_table, insert_frame, quoted, read_frame


class AttemptState(StrEnum):
    """The states of an attempt; each one is a row of its own."""

    INTENT = "intent"  # about to be sent
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"  # sent without a usable response
    NOT_SENT = "not_sent"
    FOUND = "found"  # read back after a lost response or a dead run: the target has it
    ABSENT = "absent"  # read back: the target does not have it
    UNVERIFIABLE = "unverifiable"  # read back: the target does not expose what was sent
    FINISHED = "finished"  # the second call of a create was made


class Attempt(NamedTuple):
    """One row of sync_attempts: one send of one record, in one state.

    `image` is JSON of the changed fields before and after, encrypted when a key is set, and stored with the intent
    only; `seen_at` is UTC.
    """

    attempt_id: str
    state: str
    run_id: str
    workflow: str
    source: str
    source_id: str
    action: str
    target_id: str | None
    payload_hash: str | None
    workflow_version: str
    request_hash: str | None
    code: str
    reason: str
    image: str | None
    seen_at: datetime


ATTEMPT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(Attempt._fields, pl.String),
    "seen_at": pl.Datetime("us"),
}


def write_attempts(con: duckdb.DuckDBPyConnection, attempts: Iterable[Attempt]) -> None:
    """Append attempts."""
    con.execute("create or replace temp table _attempts as select * exclude (source_number) from sync_attempts limit 0")
    insert_frame(con, "_attempts", pl.DataFrame(list(attempts), schema=ATTEMPT_SCHEMA, orient="row"))
    con.execute(
        "insert into sync_attempts by name select *, try_cast(source_id as bigint) as source_number from _attempts"
    )


def open_intents(con: duckdb.DuckDBPyConnection, workflow: str) -> list[Attempt]:
    """Return intents without a known outcome: left by a dead run or a lost response."""
    return _read(
        con,
        "workflow = ? and state = 'intent' and attempt_id not in"
        " (select attempt_id from sync_attempts where workflow = ? and state not in ('intent', 'unknown'))",
        [workflow, workflow],
    )


def unfinished_creates(con: duckdb.DuckDBPyConnection, workflow: str) -> list[Attempt]:
    """Return creates that arrived but whose second call is not known to have been made, oldest first."""
    return _read(
        con,
        "workflow = ? and code = ? and target_id is not null"
        " and attempt_id not in (select attempt_id from sync_attempts where workflow = ? and state = 'finished')"
        " order by seen_at, attempt_id",
        [workflow, UNFINISHED, workflow],
    )


def _read(con: duckdb.DuckDBPyConnection, condition: str, values: list[str]) -> list[Attempt]:
    names = ", ".join(Attempt._fields)
    rows = con.execute(f"select {names} from sync_attempts where {condition}", values).fetchall()
    return [Attempt(*row) for row in rows]


_LAST_REJECTED = """
select
    source,
    source_id,
    payload_hash as rejected_hash,
    workflow_version as rejected_version,
    request_hash as rejected_request,
    code as rejected_code,
    reason as rejected_reason
from sync_attempts
where workflow = ? and seen_at >= ? and state not in ('intent', 'finished')
qualify row_number() over (partition by source, source_id order by seen_at desc) = 1 and state = 'rejected'
"""

_PARENT_CHANGED = """
select distinct child.source, child.source_id
from (
    select source, source_id, run_id, seen_at
    from sync_attempts
    where workflow = ? and state = 'rejected' and seen_at is not null
    qualify row_number() over (partition by source, source_id order by seen_at desc) = 1
) as rejected
join {mart} as child using (source, source_id)
join sync_decisions as parent
    on parent.source = child.parent_source
    and parent.source_id = child.parent_source_id
    and parent.to_run is null
    and parent.from_run <> rejected.run_id
    and parent.from_at > rejected.seen_at
"""


def read_rejected(con: duckdb.DuckDBPyConnection, workflow: str, since: datetime) -> pl.DataFrame:
    """Return records whose last attempt the target rejected, with its reason: REJECTED_SCHEMA.

    A record whose parent got another decision in a later run is left out, so that it is tried again.

    Args:
        con: An open writer section.
        workflow: The workflow.
        since: Older rejections are ignored, so that the record is tried again: UTC.
    """
    rejected = read_frame(con, _LAST_REJECTED, [workflow, since])
    if rejected.is_empty():
        return pl.DataFrame(schema=REJECTED_SCHEMA)
    if not has_table(con, f"mart_{workflow}"):
        return rejected
    parent_changed = read_frame(con, _PARENT_CHANGED.format(mart=quoted(f"mart_{workflow}")), [workflow])
    return rejected.join(parent_changed, on=KEY, how="anti", maintain_order="left")
