"""The steps of a record's story in one workflow: read, mapped, planned, decided, sent, answered, linked.

WorkflowHistory, before-images  ->  story_steps(), with_source()
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from assets.delivery.audit.explain import WorkflowHistory
from assets.delivery.audit.find import Record
from assets.delivery.ledger.attempts import owner_of
from resources.encryption import Cipher, EncryptionError
from resources.warehouse.tables import has_table, read_frame
from resources.warehouse.warehouse import Warehouse

Change = tuple[str, str | None, str | None]  # field, before, after
HELD = {"quarantined", "blocked", "ambiguous", "failed"}
ANSWERS = {
    "confirmed": "confirmed by the target", "rejected": "rejected by the target", "unknown": "no usable answer",
    "not_sent": "not sent", "found": "read back: the target has it", "absent": "read back: the target does not have it",
    "unverifiable": "read back: the target does not show what was sent",
    "ambiguous": "read back: one of several records may be it", "finished": "the second call was made",
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One point of the story.

    Attributes:
        kind: seen, mapped, planned, decided, sent, answered or linked.
        changes: Field, before, after; both values are null where they are not kept or hidden.
        is_now: Whether it still holds.
    """

    kind: str
    at: datetime | None
    title: str
    detail: str = ""
    run_id: str = ""
    plan_id: str = ""
    tone: str = ""
    changes: Sequence[Change] = ()
    is_now: bool = False


def story_steps(
    con: duckdb.DuckDBPyConnection, history: WorkflowHistory, record: Record, warehouse: Warehouse
) -> list[Step]:
    """Return the story, the newest first."""
    images = _images(con, history.workflow, record, warehouse)
    placed: list[tuple[int, Step]] = []
    for row in history.decided:
        is_now = row["to_run"] is None
        tone = "bad" if row["action"] in HELD else ""
        step = Step(
            "decided",
            row["from_at"],
            str(row["action"]),
            row["reason"] or "",
            row["from_run"],
            tone=tone,
            is_now=is_now,
        )
        placed.append((row["from_position"] or 0, step))
    for row in history.attempts:
        is_intent = row["state"] == "intent"
        title = f"{row['action']} sent" if is_intent else ANSWERS.get(row["state"], str(row["state"]))
        tone = "bad" if row["state"] in {"rejected", "unknown", "ambiguous"} else "" if is_intent else "good"
        changes = images.get(row["position"], ()) if is_intent else ()
        kind = "sent" if is_intent else "answered"
        step = Step(kind, row["seen_at"], title, row["reason"] or "", row["run_id"], tone=tone, changes=changes)
        placed.append((row["position"] or 0, step))
    found = [step for _, step in sorted(placed, key=lambda each: -each[0])]
    manual = [
        Step(
            "linked", each["decided_at"], f"linked by {each['decided_by'] or 'a person'}",
            f"to {each['target_id'] or 'no record of the target'}. {each['note'] or ''}", is_now=True,
        )
        for each in history.manual_links
    ]  # fmt: skip
    return [*_planned(history), *manual, *found]


def newly_held(history: WorkflowHistory) -> Mapping[str, Any]:
    """Return the row of the newest plan if that holds the record back and no run decided so yet; else an empty one."""
    newest: Mapping[str, Any] = history.planned[-1] if history.planned else {}
    known = {row["action"] for row in history.decided if row["to_run"] is None}
    return newest if newest and newest["action"] in HELD - known else {}


def with_source(steps: list[Step], history: WorkflowHistory, seen_at: datetime | None) -> list[Step]:
    """Add when NetSuite was read and what was mapped, before the first step that is older."""
    seen = Step("seen", seen_at, "as last read from NetSuite")
    mapped = [Step("mapped", None, str(row["disposition"]), row["reason"] or "") for row in history.mart[:1]]
    older = (place for place, each in enumerate(steps) if seen_at and each.at and each.at < seen_at)
    place = next(older, len(steps))
    return [*steps[:place], *mapped, seen, *steps[place:]]


def _planned(history: WorkflowHistory) -> list[Step]:
    held = newly_held(history)
    return [
        Step(
            "planned", row["decided_at"], str(row["action"]) if row is held else f"{row['action']} planned",
            row["reason"] or "", plan_id=row["plan_id"],
            changes=[(each["field"], each["before"], each["after"]) for each in row["changes"] or []],
        )
        for row in history.planned
        if row["payload"] is not None or row is held
    ]  # fmt: skip


def _images(
    con: duckdb.DuckDBPyConnection, workflow: str, record: Record, warehouse: Warehouse
) -> dict[int, Sequence[Change]]:
    """Return what each send changed, by its place in the ledger; nothing that is encrypted without a key, or hidden."""
    if warehouse.hides_personal or not has_table(con, "sync_attempts"):
        return {}
    query = (
        "select position, image, attempt_id, source, source_id, action, target_id from sync_attempts where workflow = ?"
        " and source_number is not distinct from try_cast(? as bigint) and source_id = ? and source = ?"
        " and image is not null"
    )
    cipher, found = Cipher(warehouse.encryption_key), dict[int, Sequence[Change]]()
    values = [workflow, record.source_id, record.source_id, record.source]
    for row in read_frame(con, query, values).iter_rows(named=True):
        try:
            changes = json.loads(cipher.decrypt(row["image"], of=owner_of(row)))
        except (EncryptionError, ValueError):
            continue
        found[row["position"]] = [(each["field"], each["before"], each["after"]) for each in changes]
    return found
