"""Versions of what we wanted and of what a target had: one row per record and period with the same values.

mart_<workflow>, target_<workflow>  ->  keep_versions()  ->  hist_mart__<…>, hist_target__<…>, sync_readings

Called in the transaction that changes the table. Positions of the ledger's sequence order versions, so a clock that is
set back neither inverts two of them nor lets them overlap. A fingerprint of each version's values says what changed, so
that an unchanged table costs one pass over it, and no row.
"""

import json
from dataclasses import dataclass
from datetime import datetime

import duckdb

from assets.delivery.ledger.sequence import next_position
from assets.delivery.ledger.sides import MART, TARGET, Side, follow_columns
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.ledger.version_readings import (
    ALL,
    Reading,
    is_after_restore,
    is_other_file,
    last_reading,
    log_reading,
)
from assets.delivery.schemas import FORGOTTEN
from assets.delivery.target import TARGET_STATE_COMMENTS, TOP
from resources.warehouse.forgotten import empty_target_state
from resources.warehouse.tables import columns_of, has_table, hashable, literal, quoted

NO_KEYS = "(none)"  # in place of a table of keys: nothing was made again
CHECKED_SHARE = 5  # values are compared as well if a fifth of the fingerprints differ: DuckDB's hash may be another


@dataclass(frozen=True)
class Kept:
    """The result of a reading: its position, and the number of versions that it opened and closed."""

    position: int
    opened: int = 0
    closed: int = 0


def keep_versions(
    con: duckdb.DuckDBPyConnection, side: Side, reading: Reading, *, keys: str | None = None, closes: bool = True
) -> Kept:
    """Open and close the versions that changed, in the caller's transaction.

    Args:
        con: An open writer section; the table is as it was read or made.
        side: MART or TARGET.
        reading: What was read.
        keys: A table with the keys that were read; None: all of them. A name without a table: none changed.
        closes: Whether a record that is not in the table is gone; its absence from a partial listing shows nothing.
    """
    if not has_table(con, "sync_readings"):
        ensure_ledger(con)
    if side is TARGET and has_table(con, side.table(reading.workflow)):
        empty_target_state(con, reading.workflow, side.table(reading.workflow), TARGET_STATE_COMMENTS.keys())
    position, counts = next_position(con), (0, 0)
    if has_table(con, side.table(reading.workflow)) and keys != NO_KEYS:
        follow_columns(con, side, reading.workflow)
        _find_changed(con, side, reading, keys, closes=closes)
        counts = _store(con, side, reading, keys, position)
    log_reading(con, side, reading, position, counts)
    return Kept(position, *counts)


def is_complete(con: duckdb.DuckDBPyConnection, side: Side, workflow: str) -> bool:
    """Return whether each record of the table has a current version, as far as their numbers show."""
    table, versions = side.table(workflow), side.versions(workflow)
    if not has_table(con, versions):
        return False
    query = f"select (select count(*) from {quoted(table)}), (select count(*) from {quoted(versions)} where is_current)"
    rows, current = con.execute(query).fetchall()[0]
    return bool(rows == current)


def forget_versions(con: duckdb.DuckDBPyConnection, side: Side, reading: Reading) -> Kept:
    """End every current version: what follows belongs to another account."""
    if not has_table(con, "sync_readings"):
        ensure_ledger(con)
    versions, position = side.versions(reading.workflow), next_position(con)
    closed = 0
    if has_table(con, versions):
        table = quoted(versions)
        closed = int(con.execute(f"select count(*) from {table} where is_current").fetchall()[0][0])
        con.execute(
            f"update {table} set valid_to = greatest(valid_from, ?::timestamp), to_position = ?, is_current = false"
            " where is_current",
            [reading.read_at, position],
        )
    log_reading(con, side, reading, position, (0, closed))
    return Kept(position, 0, closed)


def _values(con: duckdb.DuckDBPyConnection, side: Side, reading: Reading) -> tuple[list[str], list[str]]:
    """Return the columns to keep, and the SQL of the values to compare; a field that is no longer mapped is null."""
    table = columns_of(con, side.table(reading.workflow))
    kept = [name for name in table if name not in side.left_out]
    unlike = {*side.key, *side.quiet, *(reading.dated if side is MART else ())}
    compared = [name for name in kept if name not in unlike]
    return kept, compared


def _rows(side: Side, reading: Reading) -> str:
    """Return SQL for the rows of the table; a target that begins to show who has no parent has not changed."""
    table = quoted(side.table(reading.workflow))
    return f"(select * replace (nullif(parent_id, '{TOP}') as parent_id) from {table})" if side is TARGET else table


def _find_changed(
    con: duckdb.DuckDBPyConnection, side: Side, reading: Reading, keys: str | None, *, closes: bool
) -> None:
    """Fill `_changed_versions`: the key, whether a version ends and one begins, and the new fingerprint."""
    table, versions = _rows(side, reading), quoted(side.versions(reading.workflow))
    _, compared = _values(con, side, reading)
    key = ", ".join(map(quoted, side.key))
    among = f" semi join {quoted(keys)} using ({key})" if keys else ""
    types = columns_of(con, side.table(reading.workflow))
    values = f"hash({hashable({name: types[name] for name in compared})})"
    follow = ", source_hash" if side is MART else ", null as source_hash"
    conditions = [
        "(now.version_hash is distinct from old.version_hash or now.source_hash is distinct from old.source_hash)"
    ]
    conditions += [] if closes else ["now.version_hash is not null"]
    conditions += [] if reading.began_position is None else ["coalesce(old.from_position, 0) <= $began"]
    con.execute(
        f"create or replace temp table _changed_versions as select {key}, old.is_current is not null as ends,"
        " now.version_hash is not null as begins, now.version_hash as version_hash,"
        " now.version_hash is not distinct from old.version_hash as is_same, now.source_hash as source_hash,"
        " old.is_current is not null and old.version_hash is null as is_erased"
        f" from (select {key}, {values} as version_hash{follow} from {table}{among}) as now"
        f" full join (select {key}, is_current, version_hash{follow}, from_position from {versions}{among}"
        " where is_current) as old"
        f" using ({key}) where {' and '.join(conditions)}",
        {} if reading.began_position is None else {"began": reading.began_position},
    )


def _store(
    con: duckdb.DuckDBPyConnection, side: Side, reading: Reading, keys: str | None, position: int
) -> tuple[int, int]:
    """Close and open the versions of `_changed_versions`; return the numbers of opened and of closed ones."""
    versions = side.versions(reading.workflow)
    opened, closed, both, same = _count_changed(con)
    if both and _may_be_equal(con, side, reading, keys, both):
        _keep_equal(con, side, reading)
        opened, closed, _, same = _count_changed(con)
    if same:  # the source changed, and what we want did not
        con.execute(
            f"update {quoted(versions)} as kept set source_hash = changed.source_hash from _changed_versions as changed"
            f" where kept.is_current and changed.is_same and {_same_key(side, 'kept', 'changed')}"
        )
        con.execute("delete from _changed_versions where is_same")
    if opened or closed:
        _close(con, side, reading, versions, position)
        _open(con, side, reading, versions, position)
    return opened, closed


def _count_changed(con: duckdb.DuckDBPyConnection) -> tuple[int, int, int, int]:
    query = (
        "select count(*) filter (begins and not is_same), count(*) filter (ends and not is_same),"
        " count(*) filter (begins and ends and not is_same), count(*) filter (is_same) from _changed_versions"
    )
    opened, closed, both, same = con.execute(query).fetchall()[0]
    return int(opened), int(closed), int(both), int(same)


def _same_key(side: Side, one: str, other: str) -> str:
    return " and ".join(f"{one}.{quoted(name)} = {other}.{quoted(name)}" for name in side.key)


def _may_be_equal(con: duckdb.DuckDBPyConnection, side: Side, reading: Reading, keys: str | None, both: int) -> bool:
    """Return whether values must be compared: so many fingerprints differ, as of another DuckDB, or one was erased."""
    if con.execute("select 1 from _changed_versions where is_erased limit 1").fetchall():
        return True
    rows = con.execute(f"select count(*) from {quoted(keys or side.table(reading.workflow))}").fetchall()[0][0]
    query = "select arg_max(fields, position) from sync_readings where workflow = ? and side = ? and kind = ?"
    fields = con.execute(query, [reading.workflow, side.name, ALL]).fetchall()[0][0]
    return both * CHECKED_SHARE >= rows or (reading.kind == ALL and fields != json.dumps(list(reading.fields)))


def _keep_equal(con: duckdb.DuckDBPyConnection, side: Side, reading: Reading) -> None:
    """Give versions whose values are equal the new fingerprint; `is_same` then says so."""
    table, versions = _rows(side, reading), quoted(side.versions(reading.workflow))
    kept, compared = _values(con, side, reading)
    differs = [f"now.{quoted(name)} is distinct from old.{quoted(name)}" for name in compared]
    if side is MART:  # a field that is no longer mapped is no longer wanted
        fields = set(columns_of(con, side.versions(reading.workflow))) - {*kept, *side.own, *side.quiet}
        differs += [f"old.{quoted(name)} is not null" for name in sorted(fields)]
    con.execute(
        f"update _changed_versions as changed set is_same = true from {table} as now, {versions} as old"
        f" where changed.begins and changed.ends and {_same_key(side, 'now', 'changed')}"
        f" and {_same_key(side, 'old', 'changed')} and old.is_current and not ({' or '.join(differs) or 'false'})"
    )
    con.execute(
        f"update {versions} as old set version_hash = changed.version_hash from _changed_versions as changed"
        f" where old.is_current and changed.is_same and {_same_key(side, 'old', 'changed')}"
    )
    if side is not MART:
        con.execute("delete from _changed_versions where is_same")


def _close(con: duckdb.DuckDBPyConnection, side: Side, reading: Reading, versions: str, position: int) -> None:
    con.execute(
        f"update {quoted(versions)} as old set valid_to = greatest(old.valid_from, ?::timestamp), to_position = ?,"
        f" is_current = false from _changed_versions as changed where old.is_current and changed.ends"
        f" and {_same_key(side, 'old', 'changed')}",
        [reading.read_at, position],
    )  # fmt: skip


def _open(con: duckdb.DuckDBPyConnection, side: Side, reading: Reading, versions: str, position: int) -> None:
    """Insert the new versions; one begins no earlier than the one before it ended."""
    kept, _ = _values(con, side, reading)
    key, table = ", ".join(map(quoted, side.key)), _rows(side, reading)
    values = {"at": reading.read_at, "position": position, "run": reading.run_id}
    cause, known = "", ""
    if side is MART:
        values["is_other_file"] = is_other_file(con, reading)
        cause, known = (
            f", {_CAUSE} as version_cause",
            ", any_value(source_hash) filter (to_position = $position) as was",
        )
    else:
        values["is_lost"] = is_after_restore(con, reading)
        cause = ", $is_lost::boolean as is_after_restore"
    con.execute(
        f"insert into {quoted(versions)} by name"
        f" select {', '.join(f'now.{quoted(name)}' for name in kept)}, changed.version_hash,"
        " greatest($at::timestamp, before.ended) as valid_from, true as is_current, $position as from_position,"
        f" $run as version_run{cause} from {table} as now"
        f" join _changed_versions as changed on changed.begins and {_same_key(side, 'now', 'changed')}"
        f" left join (select {key}, max(valid_to) as ended, bool_or(to_position = $position) as continues{known}"
        f" from {quoted(versions)} semi join _changed_versions using ({key}) group by all) as before"
        f" on {_same_key(side, 'now', 'before')}"
        f" {_one_per_key(con, side, table)}",
        values,
    )


def _one_per_key(con: duckdb.DuckDBPyConnection, side: Side, table: str) -> str:
    """Return the clause that leaves one row of each key; blank if each has one: it takes two fifths of the time."""
    key = ", ".join(f"now.{quoted(name)}" for name in side.key)
    # also a row that is as it was is joined to the change of another one with its key
    query = (
        f"select count(*) > count(distinct ({key})) from {table} as now"
        f" join _changed_versions as changed on changed.begins and {_same_key(side, 'now', 'changed')}"
    )
    has_repeated = con.execute(query).fetchall()[0][0]
    return f"qualify row_number() over (partition by {key}) = 1" if has_repeated else ""


_CAUSE = f"""case
    when not coalesce(before.continues, false) then null
    when now.reason_code = {literal(FORGOTTEN)} then 'forgotten'
    when before.was is distinct from now.source_hash then if($is_other_file, 'both', 'netsuite')
    when $is_other_file then 'workflow_file'
    else 'other'
end"""


def mark_unseen(con: duckdb.DuckDBPyConnection, workflow: str, moment: datetime) -> None:
    """Note which current versions of a target's records the last listing, which may leave records out, did not show.

    They stay current: a record that is not listed is not known to be gone.
    """
    if not has_table(con, TARGET.versions(workflow)):
        return
    versions, state = quoted(TARGET.versions(workflow)), f"select target_id from {quoted(TARGET.table(workflow))}"
    con.execute(
        f"update {versions} set unseen_at = ?, unseen_position = ?"
        f" where is_current and unseen_at is null and target_id not in ({state} where target_id is not null)",
        [moment, last_reading(con, TARGET, workflow)],
    )
    con.execute(
        f"update {versions} set unseen_at = null, unseen_position = null"
        f" where is_current and unseen_at is not null and target_id in ({state})"
    )
