"""Poll cheaply which NetSuite tables have changed after a given time, for the sensor that starts runs."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from assets.netsuite.extract.deletions import DELETION_ZONE
from assets.netsuite.extract.watermarks import UNKNOWN_ZONE_OVERLAP
from assets.netsuite.record_types import RECORD_TYPES
from resources.errors import CredentialsError
from resources.netsuite.client import TIMESTAMP, NetSuiteClient
from resources.netsuite.errors import MissingTableError, PermissionRefusedError
from resources.netsuite.rejected_columns import REJECTIONS, missing_if_rejected
from resources.scalars import as_whole

POLLED = ("customers", "projects", "contacts")
DELETED = "deletedrecord"
_LATEST = (
    "select '{table}' as which, count(*) as n, to_char(max({column}), 'YYYY-MM-DD HH24:MI:SS') as latest"
    " from {table} where {column} >= {since}"
)
_TIMESTAMP, _DATE = "to_timestamp(?, 'YYYY-MM-DD HH24:MI:SS')", "to_date(?, 'YYYY-MM-DD HH24:MI:SS')"


class Change(NamedTuple):
    """Number of changed rows of a table, and the time of the latest change in the session's time zone."""

    rows: int
    latest: str


class _Question(NamedTuple):
    text: str
    since: datetime


def changed_since(client: NetSuiteClient, watermark: datetime) -> dict[str, Change]:
    """Return which of customer, job, contact and deletedrecord have changed, in one call (two the first time).

    The answer is a hint: while the session's time zone is unknown, unchanged tables may be listed, and tables that the
    role may not see are missing. If a table is missing or the account rejects UNION, each table is queried separately.

    Args:
        client: NetSuite.
        watermark: Time from which changes count; aware.
    """
    zone = client.session_zone_offset
    moment = watermark.astimezone(UTC)
    local = moment - UNKNOWN_ZONE_OVERLAP if zone is None else moment + zone
    questions = {}
    for record_type in map(RECORD_TYPES.__getitem__, POLLED):
        column = record_type.modified.rpartition(".")[2]
        text = _LATEST.format(table=record_type.table, column=column, since=_TIMESTAMP)
        questions[record_type.table] = _Question(text, local)
    text = _LATEST.format(table=DELETED, column="deleteddate", since=_DATE)
    questions[DELETED] = _Question(text, watermark.astimezone(DELETION_ZONE))
    try:
        rows = _ask(client, list(questions.values()))
    except REJECTIONS as error:
        if isinstance(error, CredentialsError) and not isinstance(error, PermissionRefusedError):
            raise
        rows = []
        for table, question in questions.items():
            with suppress(MissingTableError), missing_if_rejected(client, table):
                rows += _ask(client, [question])
    found = {row.get("which", ""): Change(as_whole(row.get("n")) or 0, row.get("latest") or "") for row in rows}
    return {table: found[table] for table in questions if table in found and found[table].rows}


def _ask(client: NetSuiteClient, questions: Sequence[_Question]) -> list[Mapping[str, str]]:
    query = " union all ".join(each.text for each in questions)
    return list(client.suiteql(query, [each.since.strftime(TIMESTAMP) for each in questions]))
