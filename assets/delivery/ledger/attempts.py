"""The ledger's attempts: an intent before each send, its outcome after it, append-only.

deliver, recovery  ->  write_attempts()  ->  sync_attempts  ->  open_intents(), unfinished_creates(), read_rejected()
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import duckdb
import polars as pl

from assets.delivery.ledger.sequence import next_position
from assets.delivery.schemas import KEY, LOST_CREATE_SCHEMA, REJECTED_SCHEMA, SourceKey
from assets.delivery.target import KEYED, UNEXPLAINED, UNFINISHED, Action
from resources.warehouse.tables import has_table, insert_frame, quoted, read_frame

AFTER_BACKUP = "after_backup"  # code of a create that a run may have made after the backup that was restored


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
    AMBIGUOUS = "ambiguous"  # read back: one of several records may be the one that was created
    FINISHED = "finished"  # the second call of a create was made


class Attempt(NamedTuple):
    """One row of sync_attempts: one send of one record, in one state.

    `image` is JSON of the changed fields before and after, encrypted when a key is set, and stored with the intent
    only, as are `parent_target_id`, `emptied` and `replaced`; `existing_ids` is stored with the first create of a
    delivery; `seen_at` is UTC.
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
    parent_target_id: str | None = None
    existing_ids: str | None = None
    emptied: str | None = None
    replaced: str | None = None


def owner_of(attempt: Mapping[str, object]) -> str:
    """Return what a before-image belongs to, which its encryption covers: one send of one record."""
    names = ("attempt_id", "source", "source_id", "action", "target_id")
    return json.dumps([attempt[name] for name in names])


ATTEMPT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(Attempt._fields, pl.String),
    "seen_at": pl.Datetime("us"),
}


def write_attempts(con: duckdb.DuckDBPyConnection, attempts: Iterable[Attempt]) -> None:
    """Append attempts, in this order."""
    con.execute("create or replace temp table _attempts as select * exclude (source_number) from sync_attempts limit 0")
    rows = pl.DataFrame(list(attempts), schema=ATTEMPT_SCHEMA, orient="row")
    insert_frame(
        con, "_attempts", rows.with_columns(position=next_position(con) + pl.int_range(rows.height, dtype=pl.Int64))
    )
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


_IS_AMBIGUOUS = "bool_or(state = 'ambiguous') and not bool_or(state in ('found', 'absent'))"


def ambiguous_creates(con: duckdb.DuckDBPyConnection, workflow: str) -> list[Attempt]:
    """Return the intents of creates that may have made one of several records."""
    return _read(
        con,
        "workflow = ? and state = 'intent' and attempt_id in"
        f" (select attempt_id from sync_attempts where workflow = ? group by attempt_id having {_IS_AMBIGUOUS})",
        [workflow, workflow],
    )


def read_lost_creates(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """Return the records of ambiguous creates, with the possible target records: LOST_CREATE_SCHEMA."""
    query = (
        "select source, source_id, any_value(reason) filter (state = 'ambiguous') as lost_create from sync_attempts"
        f" where workflow = ? group by attempt_id, source, source_id having {_IS_AMBIGUOUS}"
    )
    return pl.DataFrame(read_frame(con, query, [workflow]), LOST_CREATE_SCHEMA).unique(KEY, keep="last")


def creates_without_outcome(con: duckdb.DuckDBPyConnection, workflow: str) -> set[SourceKey]:
    """Return the records that an earlier create may have made."""
    attempts = (*open_intents(con, workflow), *ambiguous_creates(con, workflow))
    return {SourceKey(each.source, each.source_id) for each in attempts if each.action == Action.CREATE}


def existing_before(con: duckdb.DuckDBPyConnection, workflow: str) -> dict[str, str]:
    """Return by attempt the `existing_ids` of the delivery that it belongs to."""
    query = (
        "select attempt.attempt_id, arg_max(first.existing_ids, first.position) from sync_attempts as attempt"
        " join sync_attempts as first on first.workflow = attempt.workflow and first.run_id = attempt.run_id"
        " and first.position <= attempt.position and first.existing_ids is not null"
        " where attempt.workflow = ? and attempt.state = 'intent' and attempt.action = 'create' group by all"
    )
    return dict(con.execute(query, [workflow]).fetchall())


def made_by(con: duckdb.DuckDBPyConnection, workflow: str) -> dict[str, str]:
    """Return by target id the create that is known to have made the record: the first, if another found it again."""
    query = (
        "select target_id, arg_min(attempt_id, position) from sync_attempts where workflow = ? and action = 'create'"
        " and state in ('confirmed', 'found') and target_id is not null group by all"
    )
    return dict(con.execute(query, [workflow]).fetchall())


def rewritten_by_others(con: duckdb.DuckDBPyConnection, attempts: Iterable[Attempt]) -> frozenset[str]:
    """Return the changes whose record another workflow wrote later: its values do not show which of them arrived."""
    changes = [each.attempt_id for each in attempts if each.action != Action.CREATE]
    query = (
        "select own.attempt_id from sync_attempts as own"
        " join sync_attempts as other using (source, source_id, target_id)"
        " where own.state = 'intent' and list_contains(?::varchar[], own.attempt_id) and other.workflow <> own.workflow"
        " and other.state in ('confirmed', 'found') and other.position > own.position"
    )
    return frozenset(row[0] for row in con.execute(query, [changes]).fetchall()) if changes else frozenset()


def creates_carry_key(con: duckdb.DuckDBPyConnection, workflow: str) -> bool:
    """Return whether the response to the last create had our key, so that creates leave no record without it."""
    query = (
        "select code from sync_attempts where workflow = ? and action = 'create' and state = 'confirmed'"
        " order by position desc limit 1"
    )
    return con.execute(query, [workflow]).fetchall() == [(KEYED,)]


def last_create(con: duckdb.DuckDBPyConnection, workflow: str) -> tuple[datetime | None, bool]:
    """Return when a record was last created, None if never, and whether any create has no outcome yet."""
    rows = con.execute(
        "select seen_at from sync_attempts where workflow = ? and action = 'create' order by position desc limit 1",
        [workflow],
    ).fetchall()
    return (rows[0][0] if rows else None), any(each.action == Action.CREATE for each in open_intents(con, workflow))


def created_since(con: duckdb.DuckDBPyConnection, workflow: str, plan_id: str) -> set[SourceKey]:
    """Return the records that were created after a plan was made."""
    query = (
        "select source, source_id from sync_attempts where workflow = ? and action = 'create'"
        " and state in ('confirmed', 'found') and position > (select position from sync_plans where plan_id = ?)"
    )
    return {SourceKey(*row) for row in con.execute(query, [workflow, plan_id]).fetchall()}


def confirmed_since(con: duckdb.DuckDBPyConnection, workflow: str, plan_id: str) -> set[SourceKey]:
    """Return the records that were sent, or confirmed by another plan, after a plan was made."""
    query = (
        "with made as (select position from sync_plans where plan_id = $plan_id)"
        " select source, source_id from sync_attempts where workflow = $workflow and position > (from made)"
        " union select source, source_id from sync_links as link join sync_plans as later"
        " on later.workflow = link.workflow and later.sent_by = link.run_id"
        " where link.workflow = $workflow and later.position > (from made)"
    )
    rows = con.execute(query, {"workflow": workflow, "plan_id": plan_id}).fetchall()
    return {SourceKey(*row) for row in rows}


def unfinished_creates(con: duckdb.DuckDBPyConnection, workflow: str) -> list[Attempt]:
    """Return creates that arrived but whose second call is not known to have been made, oldest first."""
    return _read(
        con,
        "workflow = ? and code = ? and target_id is not null"
        " and attempt_id not in (select attempt_id from sync_attempts where workflow = ? and state = 'finished')"
        " order by position",
        [workflow, UNFINISHED, workflow],
    )


def rejected_unexplained(con: duckdb.DuckDBPyConnection, workflow: str, run_id: str) -> set[SourceKey]:
    """Return the records that the target rejected without a reason when an earlier run last sent them."""
    query = (
        "select source, source_id from sync_attempts where workflow = ? and run_id <> ?"
        " and state in ('confirmed', 'found', 'rejected', 'unknown') qualify code = ? and state = 'unknown'"
        " and row_number() over (partition by source, source_id order by position desc) = 1"
    )
    return {SourceKey(*row) for row in con.execute(query, [workflow, run_id, UNEXPLAINED]).fetchall()}


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
where workflow = ? and seen_at between ? and ? and state not in ('intent', 'finished')
qualify row_number() over (partition by source, source_id order by position desc) = 1 and state = 'rejected'
"""

# what is sent of a record that the target no longer has is a create, which it did not reject
_GONE = """
select source, source_id
from (
    select source, source_id, action, target_id
    from sync_attempts
    where workflow = ? and state = 'rejected'
    qualify row_number() over (partition by source, source_id order by position desc) = 1
)
where action <> 'create' and target_id not in (select target_id from {target_state} where target_id is not null)
"""

_PARENT_CHANGED = """
select distinct child.source, child.source_id
from (
    select source, source_id, run_id, position
    from sync_attempts
    where workflow = ? and state = 'rejected'
    qualify row_number() over (partition by source, source_id order by position desc) = 1
) as rejected
join {mart} as child using (source, source_id)
join sync_decisions as parent
    on parent.source = child.parent_source
    and parent.source_id = child.parent_source_id
    and parent.to_run is null
    and parent.from_run <> rejected.run_id
    and parent.from_position > rejected.position
"""


def read_rejected(con: duckdb.DuckDBPyConnection, workflow: str, since: datetime, until: datetime) -> pl.DataFrame:
    """Return records whose last attempt the target rejected, with its reason: REJECTED_SCHEMA.

    A record whose parent got another decision in a later run is left out, so that it is tried again, and so is one that
    the target no longer has.

    Args:
        con: An open writer section.
        workflow: The workflow.
        since: Older rejections are ignored, so that the record is tried again: UTC.
        until: Later ones as well: the clock was set back since.
    """
    rejected = read_frame(con, _LAST_REJECTED, [workflow, since, until])
    if rejected.is_empty():
        return pl.DataFrame(schema=REJECTED_SCHEMA)
    if has_table(con, f"target_{workflow}"):
        gone = read_frame(con, _GONE.format(target_state=quoted(f"target_{workflow}")), [workflow])
        rejected = rejected.join(gone, on=KEY, how="anti", maintain_order="left")
    if not has_table(con, f"mart_{workflow}"):
        return rejected
    parent_changed = read_frame(con, _PARENT_CHANGED.format(mart=quoted(f"mart_{workflow}")), [workflow])
    return rejected.join(parent_changed, on=KEY, how="anti", maintain_order="left")
