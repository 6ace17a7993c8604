"""The rows that the chain covers, and the leaf of each: the text whose hash stands for the row.

sync_attempts, sync_decisions, sync_events  ->  rows_query()  ->  kind, workflow, place, record, public, private
with the entries  ->  checked_query()  ->  the leaf that each row has now, beside the one that its entry has

A leaf is the SHA-256 of a JSON list of texts: kind, workflow, version, the public columns, and the hash of the private
ones. That one is the SHA-256 of the salt and a JSON list of them; a row without any has no salt. A workflow that was
renamed since has its former name and version in the leaf.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from pydantic import TypeAdapter, ValidationError

from assets.delivery.ledger.events import details_of
from resources.warehouse.tables import literal

ATTEMPT, DECISION, ENDED, EVENT = "attempt", "decision", "ended", "event"
PRUNED, ERASED, COLLAPSED = "pruned", "erased", "collapsed"
MARKS = (PRUNED, ERASED, COLLAPSED)
CHAIN, CHECKPOINTS = "sync_chain", "sync_checkpoints"


@dataclass(frozen=True)
class Covered:
    """One kind of rows.

    Attributes:
        place: The column that orders its rows.
        record: The rest of the key, in SQL.
        public: Columns that are hashed as they are, besides workflow and version.
        private: Columns that may hold personal values.
        version: The column of the workflow file's fingerprint, in SQL.
        where: The rows that there are.
    """

    table: str
    place: str
    record: str
    public: Sequence[str]
    private: Sequence[str] = ()
    version: str = "''"
    where: str = "true"

    @property
    def columns(self) -> tuple[str, ...]:
        """All covered columns."""
        return ("workflow", *(() if self.version == "''" else (self.version,)), *self.public, *self.private)


_RECORD = "coalesce(source, '') || ' ' || coalesce(source_id, '')"
KINDS: Mapping[str, Covered] = {
    ATTEMPT: Covered(
        "sync_attempts",
        "position",
        "coalesce(attempt_id, '') || ' ' || coalesce(state, '')",
        (
            "attempt_id", "state", "run_id", "source", "source_id", "source_number", "action", "target_id",
            "code", "seen_at", "position", "parent_target_id", "existing_ids",
            "emptied",
        ),
        # fingerprints as well: of a short value that is the only one, anyone could find it with a list
        ("payload_hash", "request_hash", "reason", "image", "replaced"),
        "workflow_version",
    ),
    DECISION: Covered(
        "sync_decisions",
        "from_position",
        _RECORD,
        ("source", "source_id", "source_number", "action", "reason_code", "target_id", "from_run", "from_at",
         "from_position"),
        ("reason",),
        "workflow_version",
    ),
    ENDED: Covered(
        "sync_decisions",
        "from_position",
        _RECORD,
        ("source", "source_id", "from_position", "to_run", "to_at"),
        where="to_run is not null or to_at is not null",
    ),
    EVENT: Covered(
        "sync_events",
        "position",
        "event_id",
        ("event_id", "position", "event", "subject", "decided_by", "decided_at", "details"),
        ("note",),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Renamed:
    """A rename in the chain: entries before `number` have the former name, and files the former fingerprint."""

    number: int
    old: str
    new: str
    versions: Mapping[str, tuple[str, str]]


def rows_query(kinds: Sequence[str] = tuple(KINDS)) -> str:
    """Return the query of the covered rows; `copy` counts rows of the same key."""
    return " union all ".join(_rows_of(kind, KINDS[kind]) for kind in kinds)


def _rows_of(kind: str, covered: Covered) -> str:
    public, private = (
        f"[{', '.join(f'{each}::varchar' for each in columns)}]::varchar[]"
        for columns in (covered.public, covered.private)
    )
    blank = " and ".join(f"coalesce({each}::varchar, '') = ''" for each in covered.private) or "true"
    return (
        f"select {literal(kind)} as kind, coalesce(workflow, '') as workflow, coalesce({covered.place}, 0) as place,"
        f" coalesce({covered.record}, '') as record, coalesce({covered.version}, '') as version, {public} as public,"
        f" to_json({private})::varchar as private, {blank} as is_blank from {covered.table} where {covered.where}"
    )


LEAF = "sha256(to_json(list_concat([kind, named, version], public, [coalesce(erased, private_hash)]))::varchar)"
PRIVATE_HASH = "sha256(coalesce(salt, '') || private)"
MARK_LEAF = "sha256(to_json(list_concat([kind, record], coalesce(hashes, []::varchar[])))::varchar)"
# the last mark of each kind on each entry
MARKED = f"""
select try_cast(record as bigint) as number,
    arg_max(hashes, number) filter (kind = '{ERASED}') as erased,
    bool_or(kind = '{PRUNED}') as is_pruned
from {CHAIN} where kind in ('{PRUNED}', '{ERASED}') group by 1
"""


def renames(con: duckdb.DuckDBPyConnection) -> list[Renamed]:
    """Return the renames in the chain, oldest first; one whose details were changed explains no former name."""
    rows = con.execute(
        f"select entry.number, event.details from {CHAIN} as entry join sync_events as event"
        f" on entry.record = event.event_id and entry.place = event.position where entry.kind = '{EVENT}'"
        " and event.event = 'renamed' order by entry.number"
    ).fetchall()
    found = (_renamed({**details_of(details), "number": number}) for number, details in rows)
    return [each for each in found if each]


def _renamed(facts: Mapping[str, Any]) -> Renamed | None:
    try:
        return TypeAdapter(Renamed).validate_python(facts)
    except ValidationError:
        return None


def then_query(rows: str, renamed: Sequence[Renamed]) -> str:
    """Return rows with `number`, with the name and the version that the workflow had when they were chained."""
    query = f"select *, workflow as named from ({rows})"
    for each in reversed(renamed):
        new, old, before = literal(each.new), literal(each.old), f"coalesce(number, {each.number}) < {each.number}"
        version = " ".join(
            f"when {before} and named = {literal(name)} and version = {literal(after)} then {literal(former)}"
            for name, (former, after) in each.versions.items()
        )
        version = f"case {version} else version end" if version else "version"
        query = (
            f"select * replace (case when {before} and named = {new} then {old} else named end as named,"
            f" {version} as version) from ({query})"
        )
    return query


def joined_query(con: duckdb.DuckDBPyConnection) -> str:
    """Return the query of rows and entries side by side, with the names and versions of their time.

    Its columns: those of `checked_query` without `now`, and named, version, public, private, salt, erased.
    """
    joined = (
        "select entry.number, coalesce(row.kind, entry.kind) as kind, coalesce(row.workflow, entry.workflow) as"
        " workflow, coalesce(row.place, entry.place) as place, coalesce(row.record, entry.record) as record, row.copy,"
        " row.kind is not null as is_there, row.version, row.public, row.private, row.is_blank, entry.leaf, entry.salt,"
        " mark.erased as erased_hashes, coalesce(mark.is_pruned, false) as is_pruned"
        " from (select *, row_number() over (partition by kind, workflow, place, record) as copy"
        f" from ({rows_query()})) as row"
        f" full join (select * from {CHAIN} where kind in ({', '.join(map(literal, KINDS))})) as entry"
        " on entry.kind = row.kind and entry.workflow = row.workflow and entry.place = row.place"
        " and entry.record = row.record and row.copy = 1"
        f" left join ({MARKED}) as mark on mark.number = entry.number"
    )
    return (
        f"select *, {PRIVATE_HASH} as private_hash, erased_hashes[1] as erased"
        f" from ({then_query(joined, renames(con))})"
    )


def checked_query(con: duckdb.DuckDBPyConnection) -> str:
    """Return the query that compares rows and entries; one row for each row, and for each entry without one.

    Its columns: number (null: not chained), kind, workflow, place, record, copy (of the same key), is_there (the row),
    is_pruned, leaf (the entry's), now (the row's), private, private_hash, is_blank, erased_hashes, is_left_as_signed.
    """
    return (
        "select number, kind, workflow, place, record, copy, coalesce(is_there, false) as is_there, is_pruned, leaf,"
        f" case when is_there then {LEAF} end as now, private, private_hash, is_blank, erased_hashes,"
        f" coalesce(erased_hashes[2] = private_hash, true) as is_left_as_signed from ({joined_query(con)})"
    )
