"""Deletions that NetSuite reports in `deletedrecord`, confirmed by a lookup of each record.

deletedrecord since the watermark less 25 h, once a run  ->  ids live here  ->  ids that NetSuite no longer shows
ids that NetSuite no longer shows  ->  deletedrecord  ->  ids with a deletion note; the others are only absent

The spelling of the type is undocumented, and a deletion that is seen twice (the window overlaps) must not delete a
record that came back, so each candidate is looked up before it is marked.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from assets.netsuite.extract.raw_queries import EVIDENCE, absent_keys
from assets.netsuite.extract.read_warnings import ABSENT
from assets.netsuite.extract.reader import Reader, in_lists
from assets.netsuite.extract.watermarks import DELETIONS_OVERLAP
from assets.netsuite.record_types import RECORD_TYPES
from assets.result_texts import counted
from resources.netsuite.client import TIMESTAMP, NetSuiteClient
from resources.netsuite.errors import MissingTableError
from resources.netsuite.pages import Row
from resources.netsuite.rejected_columns import missing_if_rejected
from resources.scalars import as_whole

# deleteddate is shown in Pacific time, netsuite.md §5.5 [D]
DELETION_ZONE = ZoneInfo("America/Los_Angeles")
DELETIONS = pl.Schema({"key": pl.String(), "deleted_at": pl.Datetime("us"), EVIDENCE: pl.String()})
NAMED = 5  # ids in a warning
NOTE, NOTIFIED, PARENT = "note", "notified", "parent"  # evidence of a deletion, see `OWN_COLUMNS`

# all types in one page, shared by the tables of a run
RECENT = """
select d.recordid, lower(d.type) as kind, to_char(max(d.deleteddate), 'YYYY-MM-DD HH24:MI:SS') as deleteddate
from deletedrecord d
where d.deleteddate >= to_date(?, 'YYYY-MM-DD HH24:MI:SS') and lower(d.type) in ({marks})
group by d.recordid, lower(d.type)
order by d.recordid asc
"""

# more than a page: one type at a time, as two types may share an id; grouped, as an id may be deleted twice
BY_TYPE = """
select d.recordid, to_char(max(d.deleteddate), 'YYYY-MM-DD HH24:MI:SS') as deleteddate
from deletedrecord d
where d.deleteddate >= to_date(?, 'YYYY-MM-DD HH24:MI:SS') and lower(d.type) = ? and d.recordid > ?
group by d.recordid
order by d.recordid asc
"""

# the notes of some records, whenever they were deleted
OF_RECORDS = """
select d.recordid, to_char(max(d.deleteddate), 'YYYY-MM-DD HH24:MI:SS') as deleteddate
from deletedrecord d
where lower(d.type) in ({types}) and d.recordid in ({ids}) and d.recordid > ?
group by d.recordid
order by d.recordid asc
"""

TYPES = sorted({each for of in RECORD_TYPES.values() if of.modified for each in of.deleted_types})
NOT_VISIBLE = (
    "deletions are not visible: give the role the permission 'Deleted Records'; until then, records that NetSuite no"
    " longer shows are held, as `missing_without_note`"
)


def deletions(rows: Sequence[tuple[str, datetime | None, str]] = ()) -> pl.DataFrame:
    """Return key, deleted_at (UTC, naive; null: the time of the load) and evidence of deleted records as a frame."""
    return pl.DataFrame(list(rows), schema=DELETIONS, orient="row")


def read_deletions(
    client: NetSuiteClient, reader: Reader, since: str, shared_since: str, live: Callable[[Sequence[str]], set[str]]
) -> pl.DataFrame:
    """Return the records of one type that were deleted: DELETIONS.

    Args:
        client: Reads `deletedrecord`.
        reader: Looks records up; gets a warning if the role may not see deletions.
        since: First deletion to return, `YYYY-MM-DD HH24:MI:SS`.
        shared_since: First deletion to query, so that other tables of the run can use the answer: not after `since`.
        live: Filters ids to those that are live in the warehouse.
    """
    try:
        with missing_if_rejected(client, "deletedrecord"):
            reported = _reported(client, since, shared_since, reader.record_type.deleted_types)
    except MissingTableError:
        reader.warn(NOT_VISIBLE)
        return deletions()
    if not reported:
        return deletions()
    candidates = sorted(live(sorted(reported)), key=int)
    deleted = set(candidates) - reader.existing(candidates)
    return deletions([(key, reported[key], NOTE) for key in candidates if key in deleted])


def read_notes(client: NetSuiteClient, reader: Reader, written: Mapping[str, datetime]) -> pl.DataFrame:
    """Return those of some records that have a deletion note: DELETIONS.

    A note from before the record was last read is of an earlier life of its id: the record was restored since.

    Args:
        client: Reads `deletedrecord`.
        reader: Of the record type; gets a warning if the role may not see deletions.
        written: When each record was last written to the warehouse, UTC, naive; NetSuite no longer shows it.
    """
    types = sorted(reader.record_type.deleted_types)
    keys = sorted((key for key in written if as_whole(key) is not None), key=int)
    if not types or not keys:
        return deletions()

    def look_up(some: Sequence[str]) -> list[tuple[str, datetime]]:
        query = OF_RECORDS.format(types=", ".join("?" * len(types)), ids=", ".join("?" * len(some)))
        pages = client.read_keyset(query, [*types, *some], key="recordid")
        return [(each[0], _utc(each[2])) for page in pages for row in page if (each := _deletion(row))]

    try:
        with missing_if_rejected(client, "deletedrecord"):
            found = list(client.concurrency.map_unordered(look_up, in_lists(keys)))
    except MissingTableError:
        if NOT_VISIBLE not in reader.warnings:
            reader.warn(NOT_VISIBLE)
        return deletions()
    notes = sorted(each for some in found for each in some)
    return deletions(
        [(key, at, NOTE) for key, at in notes if key in written and at >= written[key] - DELETIONS_OVERLAP]
    )


def warn_of_absent(con: duckdb.DuckDBPyConnection, reader: Reader) -> None:
    """Add a warning if the warehouse holds records that NetSuite no longer shows without saying why."""
    absent = {} if reader.record_type.parent else absent_keys(con, reader.record_type)
    if absent:
        named = ", ".join(sorted(absent, key=lambda key: (len(key), key))[:NAMED])
        more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        reader.warn(
            f"{counted(len(absent), 'records')} {ABSENT}; the role may have lost access to them, so `lifecycle.missing`"
            f" of the workflow files applies (by default, held as `missing_without_note`): {named}{more}"
        )


def _reported(client: NetSuiteClient, since: str, shared_since: str, types: frozenset[str]) -> dict[str, datetime]:
    """Return the reported deletions of some types: time by id."""
    recent = client.cached("deletions", shared_since, lambda: _recent(client, shared_since))
    if recent is not None:
        return {key: _utc(at) for key, kind, at in recent if kind in types and at >= since}
    pages = (page for kind in sorted(types) for page in client.read_keyset(BY_TYPE, [since, kind], key="recordid"))
    found = (_deletion(row) for page in pages for row in page)
    return {each[0]: _utc(each[2]) for each in found if each}


def _recent(client: NetSuiteClient, since: str) -> list[tuple[str, str, str]] | None:
    """Return id, type and time of each deletion; None if they do not fit on one page."""
    page = client.page(RECENT.format(marks=", ".join("?" * len(TYPES))), [since, *TYPES])
    return None if page.has_more else [each for row in page.rows if (each := _deletion(row))]


def _deletion(row: Row) -> tuple[str, str, str] | None:
    """Return id, type and time; None for a note without a readable id or time, which says nothing of any record."""
    record_id, moment = as_whole(row.get("recordid")), row.get("deleteddate", "").partition(".")[0].strip()
    if record_id is None or not _is_time(moment):
        return None
    return str(record_id), row.get("kind", "").strip().lower(), moment


def _is_time(text: str) -> bool:
    try:
        return _shown(text).strftime(TIMESTAMP) == text and bool(_utc(text))  # texts of one form can be compared
    except (ValueError, OverflowError):
        return False


def _shown(text: str) -> datetime:
    return datetime.strptime(text, TIMESTAMP).replace(tzinfo=DELETION_ZONE)


def _utc(text: str) -> datetime:
    return _shown(text).astimezone(UTC).replace(tzinfo=None)
