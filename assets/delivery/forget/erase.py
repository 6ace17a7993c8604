"""Erase a record's personal values from the warehouse, in one transaction, with the marks of the chain.

Subject  ->  erase()  ->  every place without the values, sync_forgotten, an event with the counts
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from assets.delivery.chain.rewrite import rewriting
from assets.delivery.forget.places import Place, places_of
from assets.delivery.forget.sections import Sections, searching
from assets.delivery.forget.subject import Subject
from assets.delivery.forget.texts import contains, found_by
from assets.delivery.ledger.events import Event, Happened, key_of, record_event
from assets.delivery.ledger.plans import OPEN_STATES, PlanState
from assets.delivery.ledger.sequence import next_position
from assets.delivery.ledger.tables import ensure_ledger
from resources.signing import Signer
from resources.warehouse.forgotten import TABLE, open_marks
from resources.warehouse.tables import columns_of, has_table, insert_row, quoted, tables_of

PLAN_NOTE = "a record in it was forgotten; the next plan leaves it out"


@dataclass(frozen=True)
class Erased:
    """Values that were erased, or would be: how many, by column."""

    table: str
    rows: int
    columns: Mapping[str, int]


@dataclass(frozen=True)
class Decision:
    """The decision to forget a record: person, moment (UTC, naive), reason."""

    by: str
    moment: datetime
    note: str = ""


def survey(sections: Sections, subject: Subject) -> list[Erased]:
    """Return what `erase` would erase; nothing changes.

    Raises:
        SyncError: A run has rebuilt a table since the search began.
    """
    with sections() as con:
        places = places_of(con, subject)
    return [each for place in places if (each := _surveyed(sections, place)).rows]


def _surveyed(sections: Sections, place: Place) -> Erased:
    with searching(sections, place.table) as con:
        return _counted(con, place)


def _counted(con: duckdb.DuckDBPyConnection, place: Place) -> Erased:
    counts = place.count(con)
    return Erased(place.table, counts[""], {name: number for name, number in counts.items() if name})


def merged(found: Sequence[Erased]) -> list[Erased]:
    """Return one entry a table."""
    tables: dict[str, Erased] = {}
    for each in found:
        before = tables.get(each.table, Erased(each.table, 0, {}))
        columns = {**before.columns}
        for name, number in each.columns.items():
            columns[name] = columns.get(name, 0) + number
        tables[each.table] = Erased(each.table, max(before.rows, each.rows), columns)
    return list(tables.values())


def erase(con: duckdb.DuckDBPyConnection, subject: Subject, signer: Signer, decision: Decision) -> list[Erased]:
    """Erase the values, in the caller's transaction; repeated, it finds nothing and changes nothing.

    Raises:
        ChainError: The ledger's chain cannot be continued; nothing was changed.
    """
    ensure_ledger(con)
    done: list[Erased] = []
    details: dict[str, object] = {}
    subject_key = key_of(subject.source, subject.source_id)
    event = Event(
        event=Happened.FORGOTTEN, at=decision.moment, subject=subject_key, by=decision.by, details=details,
        note=decision.note,
    )  # fmt: skip
    position = next_position(con)
    with rewriting(con, signer, event):
        _close_plans(con, subject, decision)
        for place in places_of(con, subject):
            found = _counted(con, place)
            if found.rows:
                place.erase(con)
                done.append(found)
        details["erased"] = {each.table: each.rows for each in merged(done)}
        is_new = _mark(con, subject, decision, position)
    recorded = con.execute(
        "select 1 from sync_events where event = ? and subject = ? and position >= ?",
        [event.event.value, subject_key, position],
    ).fetchall()
    if (done or is_new) and not recorded:  # no chained row changed, or there is no chain yet
        record_event(con, event)
    return done


def _close_plans(con: duckdb.DuckDBPyConnection, subject: Subject, decision: Decision) -> None:
    """Expire the open plans that write the record, or quote it: their checksum covers what is erased."""
    if not has_table(con, "sync_plans"):
        return
    for table in sorted(each for each in tables_of(con) if each.startswith("plan_")):
        quotes = contains("reason") if "reason" in columns_of(con, table) else "false"
        con.execute(
            "update sync_plans set state = $state, state_at = $moment, note = $note where list_contains($open, state)"
            f" and plan_id in (select plan_id from {quoted(table)} where payload is not null"
            f" and (source = $source and source_id = $source_id or {quotes}))",
            {
                "state": PlanState.EXPIRED.value, "moment": decision.moment, "note": PLAN_NOTE,
                "open": [each.value for each in OPEN_STATES], "source": subject.source,
                "source_id": subject.source_id, **found_by(subject.texts),
            },
        )  # fmt: skip


def _mark(con: duckdb.DuckDBPyConnection, subject: Subject, decision: Decision, position: int) -> bool:
    """Keep the mark that the record is forgotten; return whether it is new."""
    kept = json.dumps({name: list(columns) for name, columns in subject.kept.items()})
    known = {each.source_id for each in open_marks(con, subject.source)}
    if subject.source_id in known:  # columns that came since are forgotten as well
        con.execute(
            f"update {TABLE} set kept = ?, lifted_at = null where source = ? and source_id = ? and returned_at is null",
            [kept, subject.source, subject.source_id],
        )
        return False
    row = {"source": subject.source, "source_id": subject.source_id, "modified": subject.modified, "kept": kept}
    insert_row(con, TABLE, {**row, "forgotten_at": decision.moment, "position": position, "decided_by": decision.by})
    return True


def lift(con: duckdb.DuckDBPyConnection, source: str, source_id: str, decision: Decision) -> bool:
    """Let the next reading of NetSuite store the record's values again; return whether it was forgotten."""
    if source_id not in {each.source_id for each in open_marks(con, source)}:
        return False
    con.execute(
        f"update {TABLE} set lifted_at = ? where source = ? and source_id = ? and returned_at is null",
        [decision.moment, source, source_id],
    )
    record_event(
        con,
        Event(event=Happened.LIFTED, at=decision.moment, subject=key_of(source, source_id), by=decision.by,
              note=decision.note),
    )  # fmt: skip
    return True
