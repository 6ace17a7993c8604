"""Translate one block of the service's response into the outcome of one write."""

from collections.abc import Callable, Mapping

from assets.delivery.target import UNEXPLAINED, Action, Outcome, TargetField, Verdict, Write
from assets.suiteprojects.canonical import state_row
from assets.suiteprojects.record_types import ACTIVE_FIELD, KEY_FIELD, RecordKind
from resources.suiteprojects.errors import BUSY, FIXES, OK, RATE_LIMIT, UNKNOWN_ERROR
from resources.suiteprojects.responses import is_id, status_of
from resources.suiteprojects.xml import Element, Record, address_of, record_of

# the record was not processed, for a reason that concerns the service or the sign-in
NOT_PROCESSED = BUSY | FIXES.keys() | {RATE_LIMIT}


def outcome_of(
    kind: RecordKind,
    known: Mapping[str, TargetField],
    write: Write,
    block: Element,
    status_text: Callable[[int], str],
    decode: Callable[[Record], Record] = lambda record: record,
    properties: tuple[str, ...] = (),
) -> Outcome:
    """Return the outcome of one write.

    Args:
        kind: The type of record.
        known: Its fields.
        write: The write.
        block: The response to it.
        status_text: Returns the service's own text for a status.
        decode: Converts a record of the service into the engine's fields.
        properties: The service's properties that contain the write's fields; none reads them all.
    """
    status = status_of(block)
    if status in NOT_PROCESSED:
        reason = f"the service did not process it (status {status})"
        return Outcome(Verdict.NOT_SENT, write.target_id, str(status), reason)
    if status == UNKNOWN_ERROR:
        reason = f"the service answered with an unknown error (status {status})"
        return Outcome(Verdict.UNKNOWN, write.target_id, UNEXPLAINED, reason)
    if status != OK:
        text = status_text(status)
        reason = f"{text} (status {status})" if text else f"status {status}"
        return Outcome(Verdict.REJECTED, write.target_id, str(status), reason)
    element = block.find(kind.record_type.name)
    record = record_of(element, properties) if element is not None else {}
    if not _matches(write, record):
        return Outcome(Verdict.UNKNOWN, write.target_id, reason="the response does not identify its record")
    target_id = record.get("id") or write.target_id
    record = decode(record) if record else record
    needed = {KEY_FIELD, ACTIVE_FIELD, "updated", *([kind.parent_field] if kind.parent_field else [])}
    if not record.keys() >= needed:  # too short to serve as the next before-image
        return Outcome(Verdict.CONFIRMED, target_id)
    echoed = [name for name in write.values if name in record or address_of(kind.record_type.name, name)]
    return Outcome(Verdict.CONFIRMED, target_id, echo=state_row(kind, known, record, echoed))


def _matches(write: Write, record: Mapping[str, str | None]) -> bool:
    """Return whether the record is the one that was sent; otherwise blocks correspond to writes by position alone."""
    if write.action is Action.CREATE:
        sent, target_id = write.values.get(KEY_FIELD), record.get("id") or ""
        is_ours = is_id(target_id) and not write.are_others(target_id)
        return is_ours and _plain(record.get(KEY_FIELD, sent)) == _plain(sent)
    return not record or record.get("id") == write.target_id


def _plain(key: str | None) -> str:
    """Return a key without what the service may silently convert: case, and blanks at its ends."""
    return (key or "").strip().casefold()
