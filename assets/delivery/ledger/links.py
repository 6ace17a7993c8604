"""The ledger's links: which target record belongs to which source record, as confirmed or as a person decided.

sync_links, sync_manual_links, sync_record_urls
"""

import hashlib
import json
from collections.abc import Mapping

import duckdb
import polars as pl

from assets.delivery.schemas import KEY, LINK_SCHEMA, MANUAL_LINK_SCHEMA, PARENT, SourceKey, keys_frame
from assets.delivery.target import TARGET_STATE_COLUMNS
from resources.warehouse.bindings import of_same_account
from resources.warehouse.tables import columns_of, insert_frame, literal, quoted, read_frame

_HASH_LENGTH = 8


def read_links(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """Return the last confirmed link of each source record: LINK_SCHEMA."""
    columns = ", ".join(LINK_SCHEMA)
    links = read_frame(con, f"select {columns} from sync_links where workflow = ?", [workflow])
    return links if links.height else pl.DataFrame(schema=LINK_SCHEMA)


def last_confirmed_by(con: duckdb.DuckDBPyConnection, workflow: str, run_id: str) -> pl.DataFrame:
    """Return KEY of the records that no run has confirmed with other values since this one."""
    query = "select source, source_id from sync_links where workflow = ? and run_id = ?"
    return read_frame(con, query, [workflow, run_id]).cast(dict.fromkeys(KEY, pl.String))


def read_manual_links(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """Return the links that people set: MANUAL_LINK_SCHEMA."""
    query = "select source, source_id, target_id as manual_target_id from sync_manual_links where workflow = ?"
    links = read_frame(con, query, [workflow])
    return links if links.height else pl.DataFrame(schema=MANUAL_LINK_SCHEMA)


_OF_RECORD = "{0}.workflow = decided.workflow and {0}.source = decided.source and {0}.source_id = decided.source_id"


def decided_after(moment: str) -> str:
    """Return SQL for whether the row `decided` of sync_manual_links is later than all that was sent of its record.

    The ledger's sequence says so, whatever the clocks showed. Links of early versions have no event; they are compared
    with a moment.
    """
    return (
        "coalesce((select max(position) from sync_events as event where event.event = 'linked'"
        " and event.workflow = decided.workflow and event.subject = concat(decided.source, ' ', decided.source_id))"
        f" > (select coalesce(max(position), 0) from sync_attempts as sent where {_OF_RECORD.format('sent')}),"
        f" decided.decided_at >= coalesce({moment}, decided.decided_at))"
    )


_SENT, _HELD = (
    f"(select max({column}) from {table} as other where {_OF_RECORD.format('other')})"
    for table, column in (("sync_attempts", "seen_at"), ("sync_undo_holds", "held_at"))
)
_DECIDED_SINCE = (
    "select source, source_id from sync_manual_links as decided where workflow = $workflow and "
    + decided_after(f"greatest({_SENT}, {_HELD})")
)


def decided_since(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """Return KEY of the records that people linked after all that was sent or undone of them."""
    found = read_frame(con, _DECIDED_SINCE, {"workflow": workflow})
    return found if found.height else pl.DataFrame(schema=dict.fromkeys(KEY, pl.String))


def value_hash(value: str | None) -> str:
    """Return the fingerprint of one value; blank and null are the same."""
    return hashlib.md5((value or "").encode(), usedforsecurity=False).hexdigest()[:_HASH_LENGTH]


def shown_hash(value: str) -> str:
    """Return SQL for the same fingerprint of a value."""
    return f"left(md5(coalesce({value}, '')), {_HASH_LENGTH})"


def confirmed_hash(name: str) -> str:
    """Return SQL for the fingerprint of a field's value that was last confirmed, of the table `link`."""
    path = '$."' + name.replace('"', '\\"') + '"'
    return f"json_extract_string(link.value_hashes, {literal(path)})"


def remember_values(
    con: duckdb.DuckDBPyConnection, workflow: str, target_state: str, keys: pl.DataFrame,
    edited: Mapping[SourceKey, Mapping[str, str]],
) -> None:  # fmt: skip
    """Store the fingerprint of every value that the target state shows of linked records: `value_hash`.

    Args:
        con: The warehouse.
        workflow: The workflow.
        target_state: Its table of the target state.
        keys: KEY of the records.
        edited: By record, the hashes that stay: a person edited these fields since.
    """
    fields = [name for name in columns_of(con, target_state) if name not in TARGET_STATE_COLUMNS]
    if keys.is_empty() or not fields:
        return
    con.execute("create or replace temp table _remembered (source varchar, source_id varchar)")
    insert_frame(con, "_remembered", keys.select(KEY))
    hashes = ", ".join(f"{literal(name)}: {shown_hash(quoted(name))}" for name in fields)
    con.execute(
        f"update sync_links set value_hashes = shown.hashes from (select target_id, cast(to_json({{{hashes}}}) as"
        f" varchar) as hashes from {quoted(target_state)}) as shown where sync_links.workflow = ? and"
        " sync_links.target_id = shown.target_id"
        " and (source, source_id) in (select (source, source_id) from _remembered)",
        [workflow],
    )
    if not edited:
        return
    con.execute("create or replace temp table _edited (source varchar, source_id varchar, kept varchar)")
    rows = [(*key, json.dumps(kept)) for key, kept in edited.items()]
    insert_frame(con, "_edited", pl.DataFrame(rows, schema=dict.fromkeys([*KEY, "kept"], pl.String), orient="row"))
    con.execute(
        "update sync_links set value_hashes = json_merge_patch(value_hashes, kept) from _edited where workflow = ?"
        " and sync_links.source = _edited.source and sync_links.source_id = _edited.source_id",
        [workflow],
    )


def take_over_values(
    con: duckdb.DuckDBPyConnection, workflow: str, written: Mapping[SourceKey, frozenset[str]]
) -> None:
    """Make what a workflow wrote, fields and parent, the last confirmed of other workflows' links of the same records.

    Otherwise a workflow to which a record returns would find these values edited in the target.
    """
    con.execute("create or replace temp table _overwritten (source varchar, source_id varchar)")
    insert_frame(con, "_overwritten", keys_frame(written))
    pairs = con.execute(
        "select other.workflow, source, source_id, own.parent_target_id, other.parent_target_id,"
        " own.value_hashes, other.value_hashes from _overwritten"
        " join sync_links as own using (source, source_id)"
        " join sync_links as other using (source, source_id, target, target_id)"
        " where own.workflow = $workflow and other.workflow <> $workflow"
        " and own.value_hashes is not null and other.value_hashes is not null"
        f" and {of_same_account(con, 'other.workflow', '$workflow')}",
        {"workflow": workflow},
    ).fetchall()
    rows = []
    for name, source, source_id, below, was_below, *hashes in pairs:
        (own, others), changed = map(json.loads, hashes), written[SourceKey(source, source_id)]
        taken = {field: own[field] for field in own.keys() & others.keys() & changed}
        parent = below if PARENT in changed else was_below
        if taken.items() - others.items() or parent != was_below:
            rows.append((name, source, source_id, json.dumps(taken), parent))
    if not rows:
        return
    columns = ["workflow", *KEY, "taken", "parent"]
    con.execute(f"create or replace temp table _taken_over ({', '.join(f'{column} varchar' for column in columns)})")
    insert_frame(con, "_taken_over", pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row"))
    con.execute(
        "update sync_links set value_hashes = json_merge_patch(value_hashes, taken), parent_target_id = parent,"
        " workflow_version = null from _taken_over as each where sync_links.workflow = each.workflow"
        " and sync_links.source = each.source and sync_links.source_id = each.source_id"
    )


def confirm_restored(con: duckdb.DuckDBPyConnection, workflow: str, keys: pl.DataFrame) -> None:
    """Record that a run has seen restored links in the target: what they remember is what is there."""
    if not con.execute("select 1 from sync_links where workflow = ? and restored is not null", [workflow]).fetchone():
        return
    con.execute("create or replace temp table _seen (source varchar, source_id varchar)")
    insert_frame(con, "_seen", keys.select(KEY))
    con.execute(
        "update sync_links set restored = null where workflow = ? and restored is not null"
        " and (source, source_id) in (select (source, source_id) from _seen)",
        [workflow],
    )


def save_record_url(con: duckdb.DuckDBPyConnection, workflow: str, target: str, template: str) -> None:
    """Store the URL template of the target's record pages; a blank one deletes it."""
    con.execute("delete from sync_record_urls where workflow = ?", [workflow])
    if template:
        con.execute("insert into sync_record_urls values (?, ?, ?)", [workflow, target, template])
