"""The certificates that were computed: append, read, and void them when the ledger no longer knows the target.

certify()  ->  append()  ->  sync_certificates        restore, new account  ->  void_certificates()
"""

import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime

import duckdb

from assets.delivery.ledger.sequence import next_position
from assets.delivery.ledger.tables import ensure_ledger
from assets.result_texts import counted
from resources.clock import Clock, utc_now
from resources.warehouse.tables import has_table, insert_row
from resources.warehouse.warehouse import Warehouse, WarehouseError

TABLE, UNVERIFIED = "sync_certificates", "sync_unverified"
COMPUTED, LOST, VOID = "computed", "lost", "void"


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A row of sync_certificates; times are UTC, naive."""

    workflow: str
    certificate_id: str = ""
    position: int = 0
    state: str = COMPUTED
    certified_at: datetime
    run_id: str = ""
    workflow_version: str = ""
    verified_through: datetime | None = None
    source_through: datetime | None = None
    verified_before: datetime | None = None
    reason: str = ""
    records: int = 0
    verified: int = 0
    held: int = 0
    pending: int = 0
    wrong: int = 0
    evidence: str = "{}"
    exceptions: str = "[]"


_NAMES = ", ".join(each.name for each in fields(Certificate))


def append(con: duckdb.DuckDBPyConnection, certificate: Certificate) -> Certificate:
    """Append a certificate in the caller's transaction; id, place in the sequence and the best time before are set.

    Returns:
        The row as written.
    """
    query = f"select max(verified_through) from {TABLE} where workflow = ?"
    before: datetime | None = con.execute(query, [certificate.workflow]).fetchall()[0][0]
    new_id, position = uuid.uuid4().hex[:12], next_position(con)
    written = replace(certificate, certificate_id=new_id, position=position, verified_before=before)
    insert_row(con, TABLE, vars(written))
    return written


def newest_certificates(
    con: duckdb.DuckDBPyConnection, workflow: str = "", states: Sequence[str] = (COMPUTED, LOST, VOID)
) -> dict[str, Certificate]:
    """Return the newest certificate of each workflow, or of one.

    Args:
        con: The warehouse.
        workflow: One workflow; blank: all.
        states: Rows of other states are passed over.
    """
    if not has_table(con, TABLE):
        return {}
    rows = con.execute(
        f"select {_NAMES} from {TABLE} where (? = '' or workflow = ?) and list_contains(?, state)"
        " qualify row_number() over (partition by workflow order by position desc) = 1 order by workflow",
        [workflow, workflow, list(states)],
    ).fetchall()
    names = [each.name for each in fields(Certificate)]
    found = (Certificate(**dict(zip(names, row, strict=True))) for row in rows)
    return {each.workflow: each for each in found}


def confirmed_since(con: duckdb.DuckDBPyConnection, certificates: Collection[Certificate]) -> dict[str, int]:
    """Return, by workflow, how many records that its newest certificate calls pending or wrong were confirmed since.

    They are read back by the next run, and certified then.
    """
    positions = {each.workflow: each.position for each in certificates}
    if not positions or not has_table(con, "sync_attempts"):
        return {}
    return dict(con.execute(_CONFIRMED_SINCE, [[*positions], [*positions.values()]]).fetchall())


def confirmed_text(records: int) -> str:
    """Return the count of `confirmed_since` in words; blank if there are none."""
    if not records:
        return ""
    counts = counted(records, "pending or wrong records")
    return f"sent and confirmed since: {counts}; the next run reads back what was sent"


def file_text(certificate: Certificate, version: str | None) -> str:
    """Return that the workflow file is another one than the certificate's; blank if it is not, or not known."""
    if not version or certificate.workflow_version in {"", version}:
        return ""
    return "the workflow file has changed since: what it requires now is not verified; the next run does that"


_CONFIRMED_SINCE = f"""
select workflow, count(distinct (source, source_id))
from (select unnest(?::varchar[]) as workflow, unnest(?::bigint[]) as certified) as certificate
join {UNVERIFIED} as record using (workflow)
join sync_attempts as attempt using (workflow, source, source_id)
where record.kind in ('pending', 'wrong') and attempt.state in ('confirmed', 'found') and attempt.position > certified
group by workflow
"""


def void_certificates(con: duckdb.DuckDBPyConnection, moment: datetime, reason: str, workflow: str = "") -> None:
    """Void the certificates of one or all workflows in the caller's transaction: older readings prove nothing."""
    ensure_ledger(con)
    for name, before in newest_certificates(con, workflow).items():
        con.execute(f"delete from {UNVERIFIED} where workflow = ?", [name])
        if before.state != VOID:
            append(con, Certificate(workflow=name, state=VOID, certified_at=moment, reason=reason))


def lose_certificate(con: duckdb.DuckDBPyConnection, workflow: str, moment: datetime, run_id: str, reason: str) -> None:
    """Note that a side could not be read: nothing is claimed until it is read again; what was verified is kept."""
    ensure_ledger(con)
    before = newest_certificates(con, workflow).get(workflow)
    if before is None or before.state == VOID or (before.state == LOST and before.reason == reason):
        return
    row = Certificate(workflow=workflow, state=LOST, certified_at=moment, run_id=run_id, reason=reason)
    append(con, row)


@contextmanager
def losing_certificate(
    warehouse: Warehouse, workflow: str, clock: Clock, run_id: str, *errors: type[Exception]
) -> Iterator[None]:
    """Read a side in the block; if one of these errors ends it, the certificate is lost until it can be read."""
    try:
        yield
    except errors as error:
        with suppress(WarehouseError), warehouse.writer() as con:  # the error itself matters more
            lose_certificate(con, workflow, utc_now(clock), run_id, str(error))
        raise
