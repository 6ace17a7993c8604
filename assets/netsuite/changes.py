"""A cheap look: which of NetSuite's tables changed since a moment; for the sensor that starts a run."""

from datetime import UTC, datetime

from assets.netsuite.deletions import SHOWN_IN
from assets.netsuite.things import THINGS
from assets.netsuite.watermarks import UNKNOWN_ZONE_OVERLAP
from resources.netsuite.client import TIMESTAMP, NetSuiteClient
from resources.netsuite.refusals import MissingTableError

WATCHED = ("customers", "projects", "contacts")
DELETED = "select count(*) as n from deletedrecord d where d.deleteddate >= to_date(?, 'YYYY-MM-DD HH24:MI:SS')"


def changed_since(client: NetSuiteClient, watermark: datetime) -> list[str]:
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
    found = []
    for thing in (THINGS[name] for name in WATCHED):
        alias = thing.modified.partition(".")[0]
        query = (
            f"select count(*) as n from {thing.table} {alias}"
            f" where {thing.modified} >= to_timestamp(?, 'YYYY-MM-DD HH24:MI:SS')"
        )
        if _any(client, query, since):
            found.append(thing.table)
    if _any(client, DELETED, watermark.astimezone(SHOWN_IN)):
        found.append("deletedrecord")
    return found


def _any(client: NetSuiteClient, query: str, since: datetime) -> bool:
    try:
        return client.suiteql(query, [since.strftime(TIMESTAMP)])[0].get("n", "0") != "0"
    except MissingTableError:
        return False
