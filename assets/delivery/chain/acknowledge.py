"""Findings of a verification that a person acknowledged: they stay visible but no longer raise an alarm.

Findings, an id  ->  acknowledge()  ->  an event, sealed  ->  acknowledgements()  ->  the next verification

An acknowledgement counts once the chain has it. It belongs to the finding as it is: another change of the same row has
another id, and is new.
"""

from datetime import datetime

import duckdb

from assets.delivery.chain.covered import CHAIN, EVENT
from assets.delivery.chain.findings import Acknowledgement, Findings, Problem
from assets.delivery.errors import SyncError
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.result_texts import did_you_mean
from resources.warehouse.tables import has_table


def acknowledgements(con: duckdb.DuckDBPyConnection) -> dict[str, Acknowledgement]:
    """Return what was acknowledged, by the finding's id."""
    if not has_table(con, CHAIN) or not has_table(con, "sync_events"):
        return {}
    rows = con.execute(
        "select subject, decided_by, decided_at, note from sync_events where event = ? and (event_id, position) in"
        f" (select (record, place) from {CHAIN} where kind = ?) order by position",
        [Happened.ACKNOWLEDGED.value, EVENT],
    ).fetchall()
    return {subject: Acknowledgement(by or "", at, note or "") for subject, by, at, note in rows}


def chosen(found: Findings, name: str) -> Problem:
    """Return the finding with an id, or the beginning of one.

    Raises:
        SyncError: There is none, or several match, or it was acknowledged.
    """
    matching = [each for each in found.problems if name and each.id.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise SyncError(f"{name}: {len(matching)} findings begin with it; give more of the id")
    if any(name and each.id.startswith(name) for each in found.acknowledged):
        raise SyncError(f"{name} is already acknowledged; `millpond ledger verify` lists by whom")
    hint = did_you_mean(name, [each.id for each in found.problems])
    raise SyncError(f"{name}: no such finding; {hint}`millpond ledger verify` lists each with its id")


def acknowledge(con: duckdb.DuckDBPyConnection, problem: Problem, person: str, moment: datetime, reason: str) -> None:
    """Record that a finding is known, in the caller's transaction."""
    details = {"what": problem.what, "entry": problem.number, "finding": problem.text}
    record_event(
        con,
        Event(
            event=Happened.ACKNOWLEDGED, at=moment, subject=problem.id, by=person, details=details, note=reason,
        ),
    )  # fmt: skip
