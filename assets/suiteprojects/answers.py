"""One block of the service's answer as the outcome of one write."""

from collections.abc import Callable, Mapping

from assets.delivery.target import Action, Outcome, TargetField, Verdict, Write
from assets.suiteprojects.canonical import shown
from assets.suiteprojects.record_types import KEY_FIELD, RecordKind
from resources.suiteprojects.client import status_of
from resources.suiteprojects.errors import BAD_SESSION, BUSY, OK, RATE_LIMIT
from resources.suiteprojects.xml import Element, Record, address_of, record_of

# nothing was done for this record, and not for the record's sake
NOT_DONE = BUSY | BAD_SESSION | {RATE_LIMIT}


def outcome_of(
    kind: RecordKind,
    known: Mapping[str, TargetField],
    write: Write,
    block: Element,
    text_of: Callable[[int], str],
    seen: Callable[[Record], Record] = lambda record: record,
) -> Outcome:
    """How one write ended.

    Args:
        kind: The type of record.
        known: Its fields.
        write: What was sent.
        block: What came back in its place.
        text_of: The service's own words for a status.
        seen: The service's record as the engine sees it.
    """
    status = status_of(block)
    if status in NOT_DONE:
        return Outcome(Verdict.NOT_SENT, write.target_id, str(status), f"the service did not try it (status {status})")
    if status != OK:
        text = text_of(status)
        reason = f"{text} (status {status})" if text else f"status {status}"
        return Outcome(Verdict.REJECTED, write.target_id, str(status), reason)
    element = block.find(kind.record_type.name)
    record = record_of(element) if element is not None else {}
    if not _is_its_own(write, record):
        return Outcome(Verdict.UNKNOWN, write.target_id, reason="the answer does not tell which record it is about")
    target_id = record.get("id") or write.target_id
    if not record.keys() >= {KEY_FIELD, "updated"}:  # a short echo: no before-image of the next change
        return Outcome(Verdict.CONFIRMED, target_id)
    record = seen(record)
    told = [name for name in write.values if name in record or address_of(kind.record_type.name, name)]
    return Outcome(Verdict.CONFIRMED, target_id, echo=shown(kind, known, record, told))


def _is_its_own(write: Write, record: Mapping[str, str | None]) -> bool:
    """Whether what was echoed fits what was sent: blocks are told apart by their place alone."""
    if write.action is Action.CREATE:
        sent = write.values.get(KEY_FIELD)
        return bool(record.get("id")) and record.get(KEY_FIELD, sent) == sent
    return not record or record.get("id") == write.target_id
