"""What NetSuite says was deleted: `deletedrecord`, believed only where the record is really gone.

deletedrecord since the watermark less 25 h  ->  ids that are live here  ->  ids that NetSuite no longer shows

The type's spelling is not documented, and a deletion seen twice (the window overlaps) must not delete a record that
came back; so each candidate is looked up before it is marked.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl

from assets.netsuite.reading import Reading
from resources.netsuite.client import TIMESTAMP, NetSuiteClient
from resources.netsuite.refusals import MissingTableError

# deleteddate is shown in Pacific time, netsuite.md §5.5 [D]
SHOWN_IN = ZoneInfo("America/Los_Angeles")
SCHEMA = pl.Schema({"key": pl.String(), "deleted_at": pl.Datetime("us")})

TYPES = """
select lower(d.type) as kind, count(*) as n
from deletedrecord d
where d.deleteddate >= to_date(?, 'YYYY-MM-DD HH24:MI:SS')
group by lower(d.type)
"""

# one type at a time: two types may share an id; grouped, for the same id may have been deleted twice
IDS = """
select d.recordid, to_char(max(d.deleteddate), 'YYYY-MM-DD HH24:MI:SS') as deleteddate
from deletedrecord d
where d.deleteddate >= to_date(?, 'YYYY-MM-DD HH24:MI:SS') and lower(d.type) = ? and d.recordid > ?
group by d.recordid
order by d.recordid asc
"""

NOT_SEEN = "deletions are not told: give the role the permission 'Deleted Records'; until then reconcile finds them"


def nothing_deleted() -> pl.DataFrame:
    """No deletion: key, deleted_at."""
    return pl.DataFrame(schema=SCHEMA)


def read_deleted(
    client: NetSuiteClient, reading: Reading, since: str, live: Callable[[Sequence[str]], set[str]]
) -> pl.DataFrame:
    """Records of one thing that were deleted: key (str), deleted_at (UTC, naive).

    Args:
        client: Reads `deletedrecord`.
        reading: The thing; gets a warning when the role may not see deletions.
        since: From when on, `YYYY-MM-DD HH24:MI:SS`.
        live: Which of some ids are live in the pond.
    """
    deleted: dict[str, datetime] = {}
    try:
        kinds = {row.get("kind", "") for row in client.suiteql(TYPES, [since])}
        for kind in sorted(kinds & reading.thing.deleted_as):
            for page in client.read_keyset(IDS, [since, kind], key="recordid"):
                deleted.update({row["recordid"]: _utc(row["deleteddate"]) for row in page})
    except MissingTableError:
        reading.warn(NOT_SEEN)
        return nothing_deleted()
    if not deleted:
        return nothing_deleted()
    candidates = sorted(live(sorted(deleted)), key=int)
    gone = set(candidates) - reading.existing(candidates)
    rows = [(key, deleted[key]) for key in candidates if key in gone]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _utc(text: str) -> datetime:
    shown = datetime.strptime(text, TIMESTAMP).replace(tzinfo=SHOWN_IN)
    return shown.astimezone(UTC).replace(tzinfo=None)
