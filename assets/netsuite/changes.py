"""A cheap look: which of NetSuite's tables changed since a moment; for the sensor that starts a run."""

from datetime import UTC, datetime
from typing import NamedTuple

from assets.netsuite.deletions import SHOWN_IN
from assets.netsuite.things import THINGS
from assets.netsuite.watermarks import UNKNOWN_ZONE_OVERLAP
from resources.netsuite.client import TIMESTAMP, NetSuiteClient
from resources.netsuite.refusals import MissingTableError

WATCHED = ("customers", "projects", "contacts")
DELETED = (
    "select count(*) as n, to_char(max(d.deleteddate), 'YYYY-MM-DD HH24:MI:SS') as latest from deletedrecord d"
    " where d.deleteddate >= to_date(?, 'YYYY-MM-DD HH24:MI:SS')"
)


class Change(NamedTuple):
    """How many rows of a table changed, and when the last one did, in the session's time."""

    rows: int
    latest: str


def changed_since(client: NetSuiteClient, watermark: datetime) -> dict[str, Change]:
    """Which of customer, job, contact and deletedrecord changed, in four calls (five the first time).

    A hint and no proof: while the session's time zone is not known, a table may be named that did not change, and a
    table that the role may not see is not named.

    Args:
        client: NetSuite.
        watermark: The moment since which a change counts; aware.
    """
    zone = client.session_zone_offset
    moment = watermark.astimezone(UTC)
    since = moment - UNKNOWN_ZONE_OVERLAP if zone is None else moment + zone
    found = {}
    for thing in (THINGS[name] for name in WATCHED):
        alias = thing.modified.partition(".")[0]
        query = (
            f"select count(*) as n, to_char(max({thing.modified}), 'YYYY-MM-DD HH24:MI:SS') as latest"
            f" from {thing.table} {alias} where {thing.modified} >= to_timestamp(?, 'YYYY-MM-DD HH24:MI:SS')"
        )
        found[thing.table] = _change(client, query, since)
    found["deletedrecord"] = _change(client, DELETED, watermark.astimezone(SHOWN_IN))
    return {table: change for table, change in found.items() if change.rows}


def _change(client: NetSuiteClient, query: str, since: datetime) -> Change:
    try:
        row = client.suiteql(query, [since.strftime(TIMESTAMP)])[0]
    except MissingTableError:
        return Change(0, "")
    return Change(int(row.get("n", "0")), row.get("latest", ""))
