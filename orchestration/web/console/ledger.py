"""The page of the ledger: whether the last verification found it whole, its days, and what people decided.

sync_checkpoints, sync_events  ->  ledger_state()  ->  a State
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb

from assets.delivery.chain.checkpoints import Checkpoint, read_checkpoints
from assets.delivery.ledger.events import Happened, details_of
from orchestration.web.console.site import Account, BusyError, Reading
from resources.clock import utc_now
from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse

SHOWN_DAYS, SHOWN_DECISIONS = 14, 50
OF_THE_LEDGER = ("verified", "pruned")  # events that no person decided
NOT_CHECKED: Mapping[str, Any] = {"findings": 0, "first": "", "acknowledged": 0, "entries": 0, "hindered": ""}


@dataclass(frozen=True)
class LedgerDay:
    """The checkpoints of a day, their entries, and the last link, which is the digest of the day."""

    day: date
    checkpoints: int
    entries: int
    digest: str


@dataclass(frozen=True)
class LedgerState:
    """The ledger, as the page shows it.

    Attributes:
        last: The last checkpoint.
        sealed_at: When it was made, UTC.
        days: The newest days first.
        checked_at: When the ledger was last verified, UTC.
        check: What was found: findings, first, acknowledged, entries, hindered.
        decisions: The newest rows of sync_events that people decided.
    """

    last: Checkpoint | None
    sealed_at: datetime | None
    days: Sequence[LedgerDay]
    checked_at: datetime | None
    check: Mapping[str, Any]
    decisions: Sequence[Mapping[str, Any]]


def ledger_state(account: Account) -> tuple[LedgerState | None, Reading]:
    """Return the state of the ledger, None if there is none yet, and the time of the data.

    Raises:
        BusyError: A run is writing, and what was published hides the ledger.
    """
    if not account.live.exists():
        return None, Reading(utc_now(account.clock), is_empty=True)
    hides = account.live.hides_personal

    def query(warehouse: Warehouse) -> LedgerState | None:
        with warehouse.writer(transaction=False) as con:
            if has_table(con, "sync_events"):
                return _state(con, hides=hides)
        if hides and warehouse is not account.live:
            raise BusyError  # the published file has no table that may name people
        return None

    return account.read(query, is_private=True)


def _state(con: duckdb.DuckDBPyConnection, *, hides: bool) -> LedgerState:
    checkpoints = read_checkpoints(con)
    last = checkpoints[-1] if checkpoints else None
    checks = con.execute(
        "select decided_at, details from sync_events where event = 'verified' order by position desc limit 1"
    ).fetchall()
    sealed = last.facts.get("sealed_at") if last else None
    return LedgerState(
        last,
        datetime.fromisoformat(str(sealed)) if sealed else None,
        _days(checkpoints),
        checks[0][0] if checks else None,
        {**NOT_CHECKED, **(details_of(checks[0][1]) if checks else {})},
        _decisions(con, hides=hides),
    )


def _what(event: str, details: str | None) -> str:
    """Return what happened as people read it; of a switch also how it stands since."""
    parts = details_of(details) if event == Happened.SWITCHED else {}
    states = [(name, parts.get(key)) for name, key in (("", "active"), ("real time ", "realtime"))]
    changed = [f"{name}{'on' if is_on else 'off'}" for name, is_on in states if is_on is not None]
    return " ".join([event.replace("_", " "), " and ".join(changed)]).strip()


def _days(checkpoints: Sequence[Checkpoint]) -> list[LedgerDay]:
    numbers, entries, heads = Counter[date](), Counter[date](), dict[date, str]()
    for each in checkpoints:
        numbers[each.day] += 1
        entries[each.day] += int(each.facts.get("last", 0)) - int(each.facts.get("first", 0)) + 1
        heads[each.day] = str(each.facts.get("head", ""))
    days = list(heads)[::-1][:SHOWN_DAYS]
    return [LedgerDay(day, numbers[day], entries[day], heads[day]) for day in days]


def _decisions(con: duckdb.DuckDBPyConnection, *, hides: bool) -> list[dict[str, Any]]:
    """Return the newest decisions; without names and notes where personal values are hidden."""
    rows = con.execute(
        "select event, workflow, subject, decided_by, decided_at, note, details from sync_events"
        " where not list_contains(?, event) order by position desc limit ?",
        [list(OF_THE_LEDGER), SHOWN_DECISIONS],
    ).fetchall()
    names = ("event", "workflow", "subject", "decided_by", "decided_at", "note")
    found = [{**dict(zip(names, row, strict=False)), "what": _what(row[0], row[-1])} for row in rows]
    return [{**each, "note": "", "decided_by": ""} for each in found] if hides else found
