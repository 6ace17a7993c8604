"""Creates and moves that a restored ledger does not know: a run after the backup may have made them.

records without a link, the target  ->  log_unknown_creates()  ->  attempts, code AFTER_BACKUP  ->  resolution.py

A record that carries our key is linked again. One without it, with the name and place of a record to create, may be
that record: whether it is, a person decides, and it is not made again meanwhile. A record that changed in NetSuite may
have been moved; in a target that does not show parents, its place is sent again.
"""

import uuid
from collections.abc import Iterator

import duckdb

from assets.delivery.ledger.attempts import AFTER_BACKUP, Attempt, AttemptState, write_attempts
from assets.delivery.ledger.restores import Restore, pending_restore, unkeyed_in_backup
from assets.delivery.ledger.unkeyed import LostCreate, match_unkeyed
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import DELIVER, UNCERTAIN, SourceKey
from assets.delivery.target import UNFINISHED, Action, Write
from assets.netsuite.record_types import record_type_of
from resources.warehouse.tables import columns_of, has_table, quoted, read_frame

# records without a link, with the target record that has their key, and the target's id of their parent
_UNLINKED = """
select mart.*, own.target_id as own_id, coalesce(parent_link.target_id, above.target_id) as above_id
from {mart} as mart
left join {state} as own on own.external_id = mart.{key}
left join {mart} as parent on parent.source = mart.parent_source and parent.source_id = mart.parent_source_id
left join sync_links as parent_link on parent_link.workflow = $workflow
    and parent_link.source = mart.parent_source and parent_link.source_id = mart.parent_source_id
left join {state} as above on above.external_id = parent.{key}
where mart.disposition = $deliver and mart.{key} is not null
    and (mart.source, mart.source_id) not in (select (source, source_id) from sync_links where workflow = $workflow)
    and (mart.source, mart.source_id) not in (
        select (source, source_id) from sync_attempts
        where workflow = $workflow and code = $code and position > $position
    )
qualify row_number() over (partition by mart.source, mart.source_id order by own.target_id) = 1
"""


def log_unknown_creates(run: RunContext) -> None:
    """After a restore, log an attempt for each record that a run after the backup may have created.

    Raises:
        IntegrationError: The target cannot be read.
    """
    target = run.target
    with run.warehouse.writer() as con:
        restore = pending_restore(con, run.workflow.name)
        if restore is None:
            return
        _distrust_places(con, run, restore)
        if not (target.name_field or target.creates_in_two_calls):
            return
        attempts = [*_unfinished(con, run, restore)] if target.creates_in_two_calls else []
        missing = [(write, payload) for write, payload, own_id in _unlinked(con, run, restore) if own_id is None]
        taken = {*_linked(con, run), *unkeyed_in_backup(con, run.workflow.name)}
    possible = match_unkeyed(target, [LostCreate(write, None) for write, _ in missing], taken)
    attempts += [
        _attempt(run, write, payload)
        for (write, payload), each in zip(missing, possible, strict=True)
        if each.target_ids
    ]
    with run.warehouse.writer() as con:
        write_attempts(con, attempts)


def _distrust_places(con: duckdb.DuckDBPyConnection, run: RunContext, restore: Restore) -> None:
    """Make the parents uncertain of the records that NetSuite showed changed after the restore."""
    for record in run.workflow.spec.records if has_table(con, "netsuite_reads") else ():
        record_type = record_type_of(record.source)
        for table in record_type.raw_tables if record.parent else ():
            if "_run_id" in columns_of(con, table):
                con.execute(
                    "update sync_links set parent_target_id = ?, payload_hash = null where workflow = ? and source = ?"
                    " and restored is not null and parent_target_id is not null and source_id in ("
                    f"select {quoted(record_type.query.key)} from {quoted(table)}"
                    " where _run_id in (select run_id from netsuite_reads where reading > ?))",
                    [UNCERTAIN, run.workflow.name, record.source, restore.reading],
                )


def _unlinked(
    con: duckdb.DuckDBPyConnection, run: RunContext, restore: Restore
) -> Iterator[tuple[Write, str | None, str | None]]:
    """Yield each record without a link as its create, its payload hash, and the target record with its key."""
    workflow = run.workflow
    query = _UNLINKED.format(
        mart=quoted(workflow.mart), state=quoted(workflow.target_state), key=quoted(run.target.key_field)
    )
    values = {
        "workflow": workflow.name, "deliver": DELIVER, "code": AFTER_BACKUP, "position": restore.position,
    }  # fmt: skip
    for row in read_frame(con, query, values).iter_rows(named=True):
        fields = {name: row[name] for name in workflow.spec.target_fields if name in row}
        key = SourceKey(row["source"], row["source_id"])
        yield Write(*key, Action.CREATE, None, fields, frozenset(), row["above_id"]), row["payload_hash"], row["own_id"]


def _unfinished(con: duckdb.DuckDBPyConnection, run: RunContext, restore: Restore) -> Iterator[Attempt]:
    """Yield the creates that arrived after the backup: whether their second call was made is not known."""
    for write, payload, own_id in _unlinked(con, run, restore):
        if own_id:
            intent = _attempt(run, write, payload)
            yield intent
            yield intent._replace(state=AttemptState.FOUND, target_id=own_id, code=UNFINISHED)


def _attempt(run: RunContext, write: Write, payload_hash: str | None) -> Attempt:
    return Attempt(
        attempt_id=uuid.uuid4().hex, state=AttemptState.INTENT, run_id=run.run_id, workflow=run.workflow.name,
        source=write.source, source_id=write.source_id, action=Action.CREATE, target_id=None,
        payload_hash=payload_hash, workflow_version=run.workflow.spec.version, request_hash=None, code=AFTER_BACKUP,
        reason="a run after the backup that was restored may have created it", image=None, seen_at=run.now,
        parent_target_id=write.parent_id,
    )  # fmt: skip


def _linked(con: duckdb.DuckDBPyConnection, run: RunContext) -> set[str]:
    query = "select target_id from sync_links where workflow = ? and target_id is not null"
    return {row[0] for row in con.execute(query, [run.workflow.name]).fetchall()}
