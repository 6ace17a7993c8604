"""What NetSuite says was deleted: `deletedrecord`, believed only where the record is really gone.

deletedrecord since the watermark less 25 h, once a run  ->  ids live here  ->  ids that NetSuite no longer shows

The type's spelling is not documented, and a deletion seen twice (the window overlaps) must not delete a record that
came back; so each candidate is looked up before it is marked.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl

from assets.netsuite.extract.reader import Reading
from assets.netsuite.record_types import RECORD_TYPES
from resources.netsuite.client import TIMESTAMP, NetSuiteClient
from resources.netsuite.errors import MissingTableError

# deleteddate is shown in Pacific time, netsuite.md §5.5 [D]
SHOWN_IN = ZoneInfo("America/Los_Angeles")
SCHEMA = pl.Schema({"key": pl.String(), "deleted_at": pl.Datetime("us")})

# every type at once, one page: the tables of a run share the answer
RECENT = """
select d.recordid, lower(d.type) as kind, to_char(max(d.deleteddate), 'YYYY-MM-DD HH24:MI:SS') as deleteddate
from deletedrecord d
where d.deleteddate >= to_date(?, 'YYYY-MM-DD HH24:MI:SS') and lower(d.type) in ({marks})
group by d.recordid, lower(d.type)
order by d.recordid asc
"""

# more than a page: one type at a time, for two types may share an id; grouped, for it may have been deleted twice
IDS = """
select d.recordid, to_char(max(d.deleteddate), 'YYYY-MM-DD HH24:MI:SS') as deleteddate
from deletedrecord d
where d.deleteddate >= to_date(?, 'YYYY-MM-DD HH24:MI:SS') and lower(d.type) = ? and d.recordid > ?
group by d.recordid
order by d.recordid asc
"""

KINDS = sorted({kind for record_type in RECORD_TYPES.values() for kind in record_type.deleted_as})
NOT_SEEN = "deletions are not told: give the role the permission 'Deleted Records'; until then reconcile finds them"


def nothing_deleted() -> pl.DataFrame:
    """No deletion: key, deleted_at."""
    return pl.DataFrame(schema=SCHEMA)


def read_deleted(
    client: NetSuiteClient, reading: Reading, since: str, ask_since: str, live: Callable[[Sequence[str]], set[str]]
) -> pl.DataFrame:
    """Records of one thing that were deleted: key (str), deleted_at (UTC, naive).

    Args:
        client: Reads `deletedrecord`.
        reading: The thing; gets a warning when the role may not see deletions.
        since: From when on, `YYYY-MM-DD HH24:MI:SS`.
        ask_since: From when on to ask, so that other tables of the run find their answer in it: not later.
        live: Which of some ids are live in the warehouse.
    """
    try:
        deleted = _told(client, since, ask_since, reading.record_type.deleted_as)
    except MissingTableError:
        reading.warn(NOT_SEEN)
        return nothing_deleted()
    if not deleted:
        return nothing_deleted()
    candidates = sorted(live(sorted(deleted)), key=int)
    gone = set(candidates) - reading.existing(candidates)
    rows = [(key, deleted[key]) for key in candidates if key in gone]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _told(client: NetSuiteClient, since: str, ask_since: str, kinds: frozenset[str]) -> dict[str, datetime]:
    """What of these kinds was deleted since then, and when."""
    recent = client.shared("deletions", ask_since, lambda: _recent(client, ask_since))
    if recent is not None:
        return {key: _utc(at) for key, kind, at in recent if kind in kinds and at >= since}
    pages = (page for kind in sorted(kinds) for page in client.read_keyset(IDS, [since, kind], key="recordid"))
    return {row["recordid"]: _utc(row["deleteddate"]) for page in pages for row in page}


def _recent(client: NetSuiteClient, since: str) -> list[tuple[str, str, str]] | None:
    """Id, kind and time of each deletion; None when they fill more than a page."""
    page = client.one_page(RECENT.format(marks=", ".join("?" * len(KINDS))), [since, *KINDS])
    return None if page.has_more else [(row["recordid"], row["kind"], row["deleteddate"]) for row in page.rows]


def _utc(text: str) -> datetime:
    shown = datetime.strptime(text, TIMESTAMP).replace(tzinfo=SHOWN_IN)
    return shown.astimezone(UTC).replace(tzinfo=None)
