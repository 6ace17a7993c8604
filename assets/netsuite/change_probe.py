"""A cheap look: which of NetSuite's tables changed since a moment; for the sensor that starts a run."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from assets.netsuite.extract.deletions import SHOWN_IN
from assets.netsuite.extract.watermarks import UNKNOWN_ZONE_OVERLAP
from assets.netsuite.record_types import RECORD_TYPES, RecordType
from resources.errors import CredentialsError, RequestRejectedError
from resources.netsuite.client import TIMESTAMP, NetSuiteClient
from resources.netsuite.errors import MissingTableError

WATCHED = ("customers", "projects", "contacts")
DELETED = "deletedrecord"
_LATEST = (
    "count(*) as n, to_char(max({column}), 'YYYY-MM-DD HH24:MI:SS') as latest from {table} where {column} >= {since}"
)
_SINCE, _SINCE_DAY = "to_timestamp(?, 'YYYY-MM-DD HH24:MI:SS')", "to_date(?, 'YYYY-MM-DD HH24:MI:SS')"


class Change(NamedTuple):
    """How many rows of a table changed, and when the last one did, in the session's time."""

    rows: int
    latest: str


def changed_since(client: NetSuiteClient, watermark: datetime) -> dict[str, Change]:
    """Which of customer, job, contact and deletedrecord changed, in one call (two the first time).

    A change notification and no proof: while the session's time zone is not known, a table may be named that did not change, and a
    table that the role may not see is not named. Where one of them is not there, or the account refuses to join the
    four questions, each is asked by itself.

    Args:
        client: NetSuite.
        watermark: The moment since which a change counts; aware.
    """
    zone = client.session_zone_offset
    moment = watermark.astimezone(UTC)
    local = moment - UNKNOWN_ZONE_OVERLAP if zone is None else moment + zone
    asked = {
        record_type.table: (_question(record_type.table, record_type.modified, _SINCE), local)
        for record_type in _watched()
    }
    asked[DELETED] = (_question(DELETED, "deleteddate", _SINCE_DAY), watermark.astimezone(SHOWN_IN))
    try:
        rows = _ask(client, list(asked.values()))
    except CredentialsError:
        raise
    except RequestRejectedError:
        rows = [row for each in asked.values() for row in _ask_one(client, each)]
    found = {row["which"]: Change(int(row.get("n") or 0), row.get("latest") or "") for row in rows}
    return {table: found[table] for table in asked if table in found and found[table].rows}


def _watched() -> list[RecordType]:
    return [RECORD_TYPES[name] for name in WATCHED]


def _question(table: str, column: str, since: str) -> str:
    told = _LATEST.format(table=table, column=column.rpartition(".")[2], since=since)
    return f"select '{table}' as which, {told}"


Question = tuple[str, datetime]


def _ask(client: NetSuiteClient, questions: Sequence[Question]) -> list[Mapping[str, str]]:
    query = " union all ".join(text for text, _ in questions)
    return list(client.suiteql(query, [since.strftime(TIMESTAMP) for _, since in questions]))


def _ask_one(client: NetSuiteClient, question: Question) -> list[Mapping[str, str]]:
    try:
        return _ask(client, [question])
    except MissingTableError:
        return []
