"""Deletions that NetSuite reports in `deletedrecord`, confirmed by a lookup of each record.

deletedrecord since the watermark less 25 h, once a run  ->  ids live here  ->  ids that NetSuite no longer shows

The spelling of the type is undocumented, and a deletion that is seen twice (the window overlaps) must not delete a
record that came back, so each candidate is looked up before it is marked.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl

from assets.netsuite.extract.reader import Reader
from assets.netsuite.record_types import RECORD_TYPES
from resources.netsuite.client import TIMESTAMP, NetSuiteClient
from resources.netsuite.errors import MissingTableError
from resources.netsuite.pages import Row
from resources.scalars import as_whole

# deleteddate is shown in Pacific time, netsuite.md §5.5 [D]
DELETION_ZONE = ZoneInfo("America/Los_Angeles")
_TIME = re.compile(r"\d{4}-[01]\d-[0-3]\d [0-2]\d:[0-5]\d:[0-5]\d")
DELETIONS = pl.Schema({"key": pl.String(), "deleted_at": pl.Datetime("us")})

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

TYPES = sorted({each for record_type in RECORD_TYPES.values() for each in record_type.deleted_types})
NOT_VISIBLE = (
    "deletions are not visible: give the role the permission 'Deleted Records'; until then, only the periodic"
    " reconciliation finds them"
)


def no_deletions() -> pl.DataFrame:
    """Return an empty frame: key, deleted_at."""
    return pl.DataFrame(schema=DELETIONS)


def read_deletions(
    client: NetSuiteClient, reader: Reader, since: str, shared_since: str, live: Callable[[Sequence[str]], set[str]]
) -> pl.DataFrame:
    """Return the records of one type that were deleted: key (str), deleted_at (UTC, naive).

    Args:
        client: Reads `deletedrecord`.
        reader: Looks records up; gets a warning if the role may not see deletions.
        since: First deletion to return, `YYYY-MM-DD HH24:MI:SS`.
        shared_since: First deletion to query, so that other tables of the run can use the answer: not after `since`.
        live: Filters ids to those that are live in the warehouse.
    """
    try:
        reported = _reported(client, since, shared_since, reader.record_type.deleted_types)
    except MissingTableError:
        reader.warn(NOT_VISIBLE)
        return no_deletions()
    if not reported:
        return no_deletions()
    candidates = sorted(live(sorted(reported)), key=int)
    deleted = set(candidates) - reader.existing(candidates)
    rows = [(key, reported[key]) for key in candidates if key in deleted]
    return pl.DataFrame(rows, schema=DELETIONS, orient="row")


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
    if record_id is None or not _TIME.fullmatch(moment):
        return None
    return str(record_id), row.get("kind", "").strip().lower(), moment


def _utc(text: str) -> datetime:
    shown = datetime.strptime(text, TIMESTAMP).replace(tzinfo=DELETION_ZONE)
    return shown.astimezone(UTC).replace(tzinfo=None)
