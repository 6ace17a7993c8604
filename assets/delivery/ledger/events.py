"""The ledger's events: what people decided, and what was done to the ledger itself; append-only.

a decision, in its own transaction  ->  record_event()  ->  sync_events  ->  the hash chain
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import duckdb
import polars as pl

from assets.delivery.ledger.sequence import next_position
from assets.delivery.ledger.tables import ensure_ledger
from resources.warehouse.tables import insert_frame


class Happened(StrEnum):
    """The kinds of events."""

    APPROVED = "approved"
    REJECTED = "rejected"
    UNDO_PLANNED = "undo_planned"
    LINKED = "linked"
    UNLINKED = "unlinked"
    IGNORED = "ignored"
    COUNTED_AGAIN = "counted_again"
    SWITCHED = "switched"
    SELECTED = "selected"  # records for import
    DESELECTED = "deselected"
    SHADOW_STARTED = "shadow_started"
    SHADOW_STOPPED = "shadow_stopped"
    ACCEPTED = "accepted"  # differences without a cause, in shadow mode
    CONFIRMED_OFF = "confirmed_off"  # another connector
    RENAMED = "renamed"
    REBOUND = "rebound"
    RESTORED = "restored"
    PRUNED = "pruned"
    FORGOTTEN = "forgotten"  # the personal values of a record
    LIFTED = "lifted"  # the same are stored again
    VERIFIED = "verified"
    ACKNOWLEDGED = "acknowledged"  # a finding of a verification
    RESTARTED = "restarted"  # the chain's signatures, after their key was lost


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event; `details` has no value of a record, `note` is a person's text."""

    event: Happened
    at: datetime
    workflow: str = ""
    subject: str = ""
    by: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


def since_rebind(row: str) -> str:
    """Return SQL for whether a row of the ledger is about the account that its workflow has now; `row` is its alias."""
    return since(row, Happened.REBOUND)


def since(row: str, *events: Happened) -> str:
    """Return SQL for whether a row of the ledger is later than the last of these events of its workflow."""
    names = ", ".join(f"'{each}'" for each in events)
    return (
        f"(coalesce({row}.position, 0) > (select coalesce(max(position), -1) from sync_events as happened"
        f" where happened.event in ({names}) and happened.workflow = {row}.workflow))"
    )


def record_event(con: duckdb.DuckDBPyConnection, *events: Event) -> None:
    """Append events, in this order, in the caller's transaction."""
    if events:
        ensure_ledger(con)
        insert_frame(con, "sync_events", _rows(next_position(con), events))


def as_json(details: Mapping[str, Any]) -> str:
    """Return details as DuckDB writes JSON, with sorted keys."""
    return json.dumps(details, default=str, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def details_of(text: str | None) -> dict[str, Any]:
    """Return the details of a stored event; empty if they are no longer a JSON object, as the chain then shows."""
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def key_of(source: str, source_id: str) -> str:
    """Return the subject of an event about a record."""
    return f"{source} {source_id}"


def _rows(position: int, events: Iterable[Event]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "event_id": uuid.uuid4().hex[:16],
                "position": position + number,
                "event": each.event.value,
                "workflow": each.workflow,
                "subject": each.subject,
                "decided_by": each.by,
                "decided_at": each.at,
                "details": as_json(each.details),
                "note": each.note,
            }
            for number, each in enumerate(events)
        ],
        schema_overrides={"decided_at": pl.Datetime("us"), "position": pl.Int64},
    )
