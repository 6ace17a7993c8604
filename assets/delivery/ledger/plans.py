"""A plan as a thing: kept, sealed, waiting, approved, rejected, expired, and sent once.

make_plan  ->  keep()  ->  sync_plans, plan_<workflow>  ->  take()  ->  deliver
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import duckdb
import polars as pl
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

import sql
from assets.delivery.schemas import PLAN_COLUMNS
from resources.warehouse.tables import (
    columns_of,
    describe_table,
    ensure_table,
    insert_frame,
    quoted,
    read_frame,
    replace_table,
)

MADE: Final = "made"
WAITING: Final = "waiting"
SENDING: Final = "sending"
SENT: Final = "sent"
PARTIAL: Final = "partial"
REJECTED: Final = "rejected"
EXPIRED: Final = "expired"
DIED: Final = "died"
OPEN = (MADE, WAITING)

# kinds: of all records, of the few that change notifications named, and `undo …`
SYNC: Final = "sync"
REALTIME: Final = "realtime"

STAMPS = ("plan_id", "workflow_version", "run_id", "decided_at")
SEALED = "sealed:"
SLICE = 50_000  # rows fingerprinted at once: memory stays flat


class SyncError(Exception):
    """The workflow cannot go on; the text says what to do."""


class PlanError(SyncError):
    """The plan cannot be sent; the text says why and what to do."""


@dataclass(frozen=True)
class Kept:
    """One row of sync_plans."""

    plan_id: str
    workflow: str
    workflow_version: str
    kind: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    state: str
    seal: str
    note: str | None

    @property
    def table(self) -> str:
        """Where its rows are."""
        return f"plan_{self.workflow}"

    @property
    def is_undo(self) -> bool:
        """Whether it takes something back."""
        return self.kind not in {SYNC, REALTIME}


class Seal:
    """Keeps the values of plans unreadable at rest when a key is set; without one they are kept as they are.

    Of several keys the first seals and each opens: a new one is set before the old one, until nothing needs that.
    """

    def __init__(self, key: str = "") -> None:
        """Take the key.

        Args:
            key: 32 bytes in URL-safe base64, as `Fernet.generate_key()` makes it; several with commas; blank for none.

        Raises:
            PlanError: The key has another form.
        """
        try:
            self._fernet = MultiFernet([Fernet(each) for each in key.split(",")]) if key else None
        except ValueError as error:
            raise PlanError("MILLPOND_SEAL_KEY must be 32 bytes in URL-safe base64; see .env.example") from error

    def hide(self, text: str) -> str:
        """A text as it is kept."""
        return SEALED + self._fernet.encrypt(text.encode()).decode() if self._fernet else text

    def show(self, text: str) -> str:
        """A kept text as it was.

        Raises:
            PlanError: It was sealed with another key, or somebody changed it.
        """
        if not text.startswith(SEALED):
            return text
        if self._fernet is None:
            raise PlanError("its values are sealed; set MILLPOND_SEAL_KEY to the key that sealed them")
        try:
            return self._fernet.decrypt(text.removeprefix(SEALED).encode()).decode()
        except InvalidToken as error:
            text = "its values were sealed with another key, or were changed: set MILLPOND_SEAL_KEY to that key"
            raise PlanError(text) from error

    def close(self, plan: pl.DataFrame) -> pl.DataFrame:
        """Put the payload and the values of the changes out of sight; ids, actions and field names stay."""
        if self._fernet is None or plan.is_empty():
            return plan
        rows = plan.select("payload", "changes").iter_rows(named=True)
        sealed = [self.hide(json.dumps(row)) if row["payload"] else None for row in rows]
        null = pl.lit(None, dtype=pl.String)
        bare = pl.element().struct.with_fields(null.alias("before"), null.alias("after"))
        return plan.with_columns(
            pl.Series("payload", sealed, dtype=pl.String), pl.col("changes").list.eval(bare).alias("changes")
        )

    def open(self, plan: pl.DataFrame) -> pl.DataFrame:
        """The plan with its values, from what `close` made of it.

        Raises:
            PlanError: The plan was sealed with another key, or somebody changed it.
        """
        if not plan["payload"].str.starts_with(SEALED).any():
            return plan
        kept = plan.select("payload", "changes").to_dicts()
        rows = [json.loads(self.show(row["payload"])) if row["payload"] else row for row in kept]
        return plan.with_columns(
            pl.Series("payload", [row["payload"] for row in rows], dtype=pl.String),
            pl.Series("changes", [row["changes"] for row in rows], dtype=plan.schema["changes"]),
        )


def fingerprint(plan: pl.DataFrame) -> str:
    """One text that differs when any row that writes does."""
    digest = hashlib.sha256()
    writing = plan.filter(pl.col("payload").is_not_null()).select(PLAN_COLUMNS).sort("source", "source_id")
    for part in writing.iter_slices(SLICE):
        rows = part.select(pl.struct(pl.all()).struct.json_encode()).to_series()
        digest.update("\n".join(rows.to_list()).encode())
    return digest.hexdigest()[:32]


def keep(
    con: duckdb.DuckDBPyConnection, plan: pl.DataFrame, row: Mapping[str, object], comments: Mapping[str, str]
) -> None:
    """Write a plan down; plans of the same workflow that can no longer be sent lose their rows.

    Args:
        con: An open writer section.
        plan: PLAN_COLUMNS and STAMPS, sealed.
        row: The columns of sync_plans.
        comments: Column comments of the plan's table.
    """
    ensure_table(con, sql.statement("ledger", "sync_plans"))
    workflow = str(row["workflow"])
    expire(con, row["made_at"])
    # a plan that nobody holds back is worth nothing once there is a newer one; those of all records and those of a few
    # do not replace each other
    of_few = row["kind"] == REALTIME
    con.execute(
        "update sync_plans set state = ?, state_at = ?, note = 'a newer plan was made'"
        " where workflow = ? and state = ? and (kind = ?) = ?",
        [EXPIRED, row["made_at"], workflow, MADE, REALTIME, of_few],
    )
    table = f"plan_{workflow}"
    if list(columns_of(con, table)) == plan.columns:
        con.execute(
            f"delete from {quoted(table)} where plan_id not in (select plan_id from sync_plans where workflow = ?"
            " and (state = ? or (kind <> ? and ?) or (kind = ? and state in (?, ?))))",
            [workflow, WAITING, REALTIME, of_few, REALTIME, MADE, SENDING],
        )
        insert_frame(con, table, plan)
    else:
        replace_table(con, table, plan)
        about = (
            "What would be done, one row and one reason per NetSuite record and plan; the newest, and those that wait."
        )
        describe_table(con, table, about, [(name, comments[name]) for name in plan.columns])
    names = ", ".join(map(quoted, row))
    marks = ", ".join("?" for _ in row)
    con.execute(f"insert into sync_plans ({names}) values ({marks})", list(row.values()))


def expire(con: duckdb.DuckDBPyConnection, moment: object) -> None:
    """Plans that are past their time can no longer be sent."""
    con.execute(
        "update sync_plans set state = ?, state_at = ? where state in (?, ?) and expires_at < ?",
        [EXPIRED, moment, *OPEN, moment],
    )


def find(con: duckdb.DuckDBPyConnection, plan_id: str) -> Kept:
    """One plan by its id, or by the first characters of it.

    Raises:
        PlanError: There is none, or several begin so.
    """
    ensure_table(con, sql.statement("ledger", "sync_plans"))
    found = _kept(con, "starts_with(plan_id, ?)", [plan_id])
    exact = [each for each in found if each.plan_id == plan_id] or found
    if len(exact) != 1:
        raise PlanError(f"{len(exact) or 'no'} plans begin with {plan_id}; `millpond plans` lists them")
    return exact[0]


def newest(con: duckdb.DuckDBPyConnection, workflow: str, kind: str = SYNC) -> Kept:
    """The newest plan of a workflow.

    Raises:
        PlanError: There is none.
    """
    ensure_table(con, sql.statement("ledger", "sync_plans"))
    found = _kept(con, "workflow = ? and kind = ?", [workflow, kind])
    if not found:
        raise PlanError(f"{workflow}: there is no plan; materialize plan_{workflow} first")
    return found[0]


def _kept(con: duckdb.DuckDBPyConnection, condition: str, values: Sequence[object]) -> list[Kept]:
    names = ", ".join(Kept.__annotations__)
    rows = con.execute(
        f"select {names} from sync_plans where {condition} order by made_at desc limit 20", list(values)
    ).fetchall()
    return [Kept(*row) for row in rows]


def take(con: duckdb.DuckDBPyConnection, plan: Kept, run_id: str, moment: datetime, *, released: bool) -> pl.DataFrame:
    """Take a plan for sending; nobody can take it a second time.

    Args:
        con: An open writer section: what is taken in it is taken for everybody.
        plan: The plan.
        run_id: The run that sends it.
        moment: Now, UTC.
        released: Whether a person named this plan; without that a waiting plan stays where it is.

    Returns:
        Its rows, still sealed.

    Raises:
        PlanError: It was sent before, is waiting for a person, has expired, or is not what was kept.
    """
    if plan.state == WAITING and not released:
        raise PlanError(
            f"{plan.workflow}: plan {plan.plan_id} waits for a person ({plan.note}); {_RELEASE.format(plan.plan_id)}"
        )
    if plan.state not in OPEN:
        raise PlanError(f"{plan.workflow}: plan {plan.plan_id} is {plan.state}; materialize {plan.table} again")
    if plan.expires_at < moment:
        raise PlanError(
            f"{plan.workflow}: plan {plan.plan_id} expired at {plan.expires_at:%Y-%m-%d %H:%M} UTC; make a new one"
        )
    rows = read_frame(con, f"select * from {quoted(plan.table)} where plan_id = ?", [plan.plan_id])
    if fingerprint(rows) != plan.seal:
        raise PlanError(
            f"{plan.workflow}: the rows of plan {plan.plan_id} are not those that were kept; make a new one"
        )
    con.execute(
        "update sync_plans set state = ?, state_at = ?, sent_by = ? where plan_id = ?",
        [SENDING, moment, run_id, plan.plan_id],
    )
    return rows


_RELEASE = "`millpond apply {0}` sends it, `millpond reject {0}` drops it"


def settle(con: duckdb.DuckDBPyConnection, plan_id: str, state: str, moment: datetime, note: str | None = None) -> None:
    """Write down what became of a plan."""
    con.execute(
        "update sync_plans set state = ?, state_at = ?, note = coalesce(?, note) where plan_id = ?",
        [state, moment, note, plan_id],
    )


def reject(con: duckdb.DuckDBPyConnection, plan: Kept, moment: datetime, why: str) -> None:
    """Drop a plan that was not sent.

    Raises:
        PlanError: It was sent or dropped before.
    """
    if plan.state not in OPEN:
        raise PlanError(f"plan {plan.plan_id} is {plan.state} already")
    settle(con, plan.plan_id, REJECTED, moment, why)


def note_decider(con: duckdb.DuckDBPyConnection, plan_id: str, who: str) -> None:
    """Write down who said what becomes of a plan."""
    con.execute("update sync_plans set decided_by = ? where plan_id = ?", [who, plan_id])


def lifetime(hours: int) -> timedelta:
    """How long a plan can be sent."""
    return timedelta(hours=hours)
