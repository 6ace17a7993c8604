"""Attempts without an outcome get one from the current target state.

open attempts, ambiguous creates, target state  ->  resolve_intents()  ->  found, absent, unverifiable or ambiguous
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl

from assets.delivery.ledger.attempts import (
    AFTER_BACKUP,
    Attempt,
    AttemptState,
    ambiguous_creates,
    creates_carry_key,
    existing_before,
    made_by,
    open_intents,
    owner_of,
    rewritten_by_others,
    write_attempts,
)
from assets.delivery.ledger.freshness import require_current_target_state
from assets.delivery.ledger.links import decided_since, read_manual_links
from assets.delivery.ledger.normalization import HARMLESS, differences
from assets.delivery.ledger.recovery import mark_uncertain
from assets.delivery.ledger.undo_holds import drop_undo_holds
from assets.delivery.ledger.unkeyed import LostCreate, Possible, match_unkeyed, parse_existing
from assets.delivery.ledger.version_attempts import mark_found
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import KEY, PARENT, SourceKey
from assets.delivery.target import UNFINISHED, Action, Write, parent_of
from resources.encryption import Cipher, EncryptionError
from resources.warehouse.tables import quoted, read_frame

_ABSENT = "the target does not have it; decided again"
_REWRITTEN = "another workflow wrote the record later, so that its values do not show whether this arrived"
_NOT_MADE = "the target has no record that this create made; decided again"
_DENIED = "a person decided that it is none of the target's records; decided again"

Row = Mapping[str, Any]
Image = Mapping[str, str | None]


@dataclass(frozen=True)
class _Known:
    """Attempts to resolve, and the records of both sides.

    Attributes:
        open: Attempts without an outcome.
        ambiguous: Creates that may have made one of several records.
        target_state: The target's records by their ids.
        mart: The rows of the mart, in place of values that are encrypted with a lost key.
        linked: Target ids that belong to other records.
        existing: `existing_ids` by attempt.
        chosen: Target ids that people linked, by record.
        denied: Records of which a person decided, after all that was sent of them, that they are none in the target.
        made: The attempt that is known to have made a target record, by target id.
        rewritten: Changes whose record another workflow wrote later.
        carry_key: Whether a create leaves no record without our key, as far as seen.
    """

    open: Sequence[Attempt]
    ambiguous: Sequence[Attempt]
    target_state: Mapping[str, Row]
    mart: Mapping[SourceKey, Row]
    linked: frozenset[str]
    existing: Mapping[str, str]
    chosen: Mapping[SourceKey, str]
    denied: frozenset[SourceKey]
    made: Mapping[str, str]
    rewritten: frozenset[str]
    carry_key: bool


def resolve_intents(run: RunContext) -> None:
    """Give every open attempt an outcome from the current target state, and make the links of its record uncertain.

    A create may have left a record without our key: it is recognized by its name and place, or stays ambiguous.

    Raises:
        PlanError: The target state is older than an attempt.
        IntegrationError: The target cannot be read.
    """
    with run.warehouse.writer(transaction=False) as con:
        known = _read_known(con, run)
    intents = [*known.open, *known.ambiguous]
    images = {intent.attempt_id: _image(intent, run.cipher) for intent in intents}
    actual = _by_id_or_key(known, intents, images, run.target.key_field)
    possible = _unkeyed(run, known, [each for each in intents if each.attempt_id not in actual], images)
    actual |= {
        attempt_id: known.target_state[each.target_ids[0]]
        for attempt_id, each in possible.items()
        if each.is_certain and each.target_ids[0] in known.target_state
    }
    resolved, written, absent = [], {}, []
    for intent in intents:
        row = actual.get(intent.attempt_id)
        end = _resolved(
            intent, row, images[intent.attempt_id], possible.get(intent.attempt_id), run, _absent(known, intent)
        )
        if end.state == AttemptState.FOUND and intent.attempt_id in known.rewritten:
            end = end._replace(state=AttemptState.UNVERIFIABLE, reason=_REWRITTEN)
        if end.state == AttemptState.ABSENT:
            absent.append((intent.source, intent.source_id, intent.run_id))
        if intent in known.open or end.state != AttemptState.AMBIGUOUS:
            resolved.append(end)
        if row:
            created_hash = intent.payload_hash if intent.action == Action.CREATE else None
            written[SourceKey(intent.source, intent.source_id)] = (row["target_id"], created_hash)
    with run.warehouse.writer() as con:
        if resolved:
            write_attempts(con, resolved)
            mark_uncertain(con, run.workflow.name, written)
            sent = dict.fromkeys([*KEY, "run_id"], pl.String)
            drop_undo_holds(con, run.workflow.name, pl.DataFrame(absent, schema=sent, orient="row"))
        mark_found(con, run)


def _read_known(con: duckdb.DuckDBPyConnection, run: RunContext) -> _Known:
    workflow = run.workflow
    waiting, ambiguous = open_intents(con, workflow.name), ambiguous_creates(con, workflow.name)
    if not waiting and not ambiguous:
        return _Known((), (), {}, {}, frozenset(), {}, {}, frozenset(), {}, frozenset(), carry_key=True)
    require_current_target_state(con, workflow)
    rows = read_frame(con, f"from {quoted(workflow.target_state)}").iter_rows(named=True)
    keys = [SourceKey(each.source, each.source_id) for each in (*waiting, *ambiguous)]
    mart = read_frame(
        con,
        f"from {quoted(workflow.mart)} where source_id in (select unnest(?::varchar[]))",
        [[key.source_id for key in keys]],
    ).iter_rows(named=True)
    linked = con.execute(
        "select target_id from sync_links where workflow = ? and target_id is not null", [workflow.name]
    ).fetchall()
    chosen = {SourceKey(*key): target_id for *key, target_id in read_manual_links(con, workflow.name).iter_rows()}
    since = [SourceKey(*key) for key in decided_since(con, workflow.name).iter_rows()]
    return _Known(
        waiting,
        ambiguous,
        {row["target_id"]: row for row in rows},
        {SourceKey(row["source"], row["source_id"]): row for row in mart},
        frozenset(row[0] for row in linked),
        existing_before(con, workflow.name),
        {key: target_id for key, target_id in chosen.items() if target_id},
        frozenset(key for key in since if not chosen[key]),
        made_by(con, workflow.name),
        rewritten_by_others(con, waiting),
        creates_carry_key(con, workflow.name),
    )


def _by_id_or_key(
    known: _Known, intents: Sequence[Attempt], images: Mapping[str, Image | None], key_field: str
) -> dict[str, Row]:
    """Return the target's record of each attempt that has one, by its target id, our key, or a person's link.

    A record that another create made is not that of this one.
    """
    by_key = {row["external_id"]: row for row in known.target_state.values() if row["external_id"]}
    found = {}
    for intent in intents:
        desired = known.mart.get(SourceKey(intent.source, intent.source_id), {})
        key = (images[intent.attempt_id] or {}).get(key_field) or desired.get(key_field)
        row = known.target_state.get(intent.target_id or "") or by_key.get(key) or _chosen(known, intent)
        if row and (intent.action != Action.CREATE or known.made.get(row["target_id"]) in {None, intent.attempt_id}):
            found[intent.attempt_id] = row
    return found


def _chosen(known: _Known, intent: Attempt) -> Row | None:
    """Return the record that a person linked to a create, unless it existed before: then another one was made."""
    chosen = known.chosen.get(SourceKey(intent.source, intent.source_id), "")
    existing = parse_existing(known.existing.get(intent.attempt_id)) or ()
    return known.target_state.get(chosen) if intent.action == Action.CREATE and chosen not in existing else None


def _unkeyed(
    run: RunContext, known: _Known, missing: Sequence[Attempt], images: Mapping[str, Image | None]
) -> dict[str, Possible]:
    """Return the records without our key that creates may have made, by attempt."""
    lost = [
        intent
        for intent in missing
        if intent.action == Action.CREATE
        and (not known.carry_key or intent.code == AFTER_BACKUP)
        and SourceKey(intent.source, intent.source_id) not in known.denied
    ]
    creates = []
    for intent in lost:
        values = images[intent.attempt_id] or known.mart.get(SourceKey(intent.source, intent.source_id), {})
        write = Write(
            intent.source, intent.source_id, Action.CREATE, None, values, frozenset(), intent.parent_target_id
        )
        creates.append(LostCreate(write, parse_existing(known.existing.get(intent.attempt_id))))
    possible = match_unkeyed(run.target, creates, known.linked, edited=True)
    return {intent.attempt_id: each for intent, each in zip(lost, possible, strict=True)}


def _image(intent: Attempt, cipher: Cipher) -> Image | None:
    """Return the sent values by field; None if their key is lost, which must not block the next plan."""
    try:
        image = cipher.decrypt(intent.image or "[]", of=owner_of(intent._asdict()))
        return {change["field"]: change["after"] for change in json.loads(image)}
    except EncryptionError:
        return None


def _resolved(
    intent: Attempt, actual: Row | None, image: Image | None, possible: Possible | None, run: RunContext, absent: str
) -> Attempt:
    """Return the outcome: a create arrived if its record exists, a change if the target shows its values.

    Whether the second call of a create was made cannot be seen, so such a create stays unfinished.
    """
    created = intent.action == Action.CREATE
    arrived = actual is not None and (created or (image is not None and _shows(image, actual)))
    state, reason = AttemptState.ABSENT, absent
    if arrived:
        state, reason = AttemptState.FOUND, "the target has it"
    elif possible and possible.target_ids:
        state, reason = AttemptState.AMBIGUOUS, possible.reason_of(intent.code)
    elif actual and image is None:
        state, reason = AttemptState.UNVERIFIABLE, "its values are encrypted with a key that is not set; decided again"
    elif actual and image is not None and image.keys() == {PARENT} and actual["parent_id"] is None:
        state, reason = AttemptState.UNVERIFIABLE, "the target does not return parents; sent again"
    return intent._replace(
        state=state,
        run_id=run.run_id,
        target_id=actual["target_id"] if actual else None,
        code=UNFINISHED if created and arrived and run.target.creates_in_two_calls else "",
        reason=reason,
        image=None,
        parent_target_id=None,
        existing_ids=None,
        emptied=None,
        replaced=None,
        seen_at=run.now,
    )


def _absent(known: _Known, intent: Attempt) -> str:
    """Return why an attempt that is not in the target has not arrived."""
    if intent.action != Action.CREATE:
        return _ABSENT
    return _DENIED if SourceKey(intent.source, intent.source_id) in known.denied else _NOT_MADE


def _shows(image: Image, actual: Row) -> bool:
    """Return whether the target shows the sent values; a new parent alone shows only if the target returns parents."""
    fields = image.keys() - {PARENT}
    if not fields:
        return bool(actual["parent_id"] is not None and parent_of(actual["parent_id"]) == image.get(PARENT))
    return set(differences(image, actual, fields).values()) <= HARMLESS
