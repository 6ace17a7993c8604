"""Remedies for records that are held back: whose task it is, and the fix, by the code of the root cause."""

from collections.abc import Mapping
from typing import Final

from assets.delivery.reasons import FILE, MILLPOND, NETSUITE, NOTHING, TARGET, Reason, reason_of

# by the decision, for codes that have no text
_BY_ACTION: Final[Mapping[str, Reason]] = {
    each.actions: each
    for each in (
        Reason(
            "quarantined", "it cannot be sent as it is", "", NETSUITE, "Correct the record; the reason names the field."
        ),
        Reason(
            "blocked",
            "it waits for another record",
            "",
            NOTHING,
            "Solve the cause of the other record; this one follows.",
        ),
        Reason("ambiguous", "several records of the target match", "", TARGET, "Choose one on the page Match."),
        Reason("failed", "the outcome is not known", "", MILLPOND, "The next run reads the target and decides."),
        Reason("skipped", "the workflow does not select it", "", FILE, "Select the record, if it should be exported."),
        Reason("deferred", "the day's requests are used up", "", NOTHING, "Wait: the next run continues."),
    )
}
_SENT: Final = Reason("", "its parent is sent by the same run", "", NOTHING, "Approve the plan; these records follow.")
_UNKNOWN: Final = Reason("", "another cause", "", MILLPOND, "See the reason.")
_SENDING: Final = frozenset({"create", "adopt", "update", "reactivate"})


def remedy(code: str | None, action: str | None) -> Reason:
    """Return the remedy of a cause: by its code, else by the decision on the record."""
    if action in _SENDING:
        return _SENT
    return (reason_of(code) if code else None) or _BY_ACTION.get(action or "", _UNKNOWN)
