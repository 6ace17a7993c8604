"""Remedies for records that are held back: whose task it is, and the fix, by the code of the root cause."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

NETSUITE, TARGET, FILE, MILLPOND, NOTHING = "NetSuite", "target", "workflow file", "Millpond", "no one"


@dataclass(frozen=True)
class Remedy:
    """One kind of cause.

    Attributes:
        title: The cause in a few words.
        task: Where the fix is made.
        fix: What to do there.
    """

    title: str
    task: str
    fix: str


REMEDIES: Final[Mapping[str, Remedy]] = {
    "required_blank": Remedy(
        "a required value is blank", NETSUITE, "Fill in the field in NetSuite, or map another one."
    ),
    "too_long": Remedy("a value is too long", NETSUITE, "Shorten the value in NetSuite; nothing is cut."),
    "value_not_in_list": Remedy(
        "a value is not in the field's list", FILE, "Map the value in the row's `values`, or correct it in NetSuite."
    ),
    "unusable_value": Remedy(
        "an expression cannot use a value", NETSUITE, "Correct the value in NetSuite, or use `try_cast` in the file."
    ),
    "not_in_list": Remedy("a value has no entry in the list", FILE, "Add the value to the row's `values`."),
    "wrong_form": Remedy("a value has the wrong form", NETSUITE, "Correct the value in NetSuite."),
    "stage_unknown": Remedy("the stage is not known", FILE, "Name the stage under `select.stages`."),
    "not_looked_up": Remedy(
        "a looked-up value is not known", MILLPOND, "Read the table that it is looked up in; the next run tries again."
    ),
    "not_read": Remedy("a value was not read", NETSUITE, "Give the integration role access to it."),
    "parent_missing": Remedy(
        "the parent is not in the target", NOTHING, "Solve the parent's own cause; this record follows by itself."
    ),
    "no_parent": Remedy("there is no parent", NETSUITE, "Choose the parent in NetSuite."),
    "parent_ring": Remedy("the parents form a ring", NETSUITE, "Break the ring of parents in NetSuite."),
    "parent_inactive": Remedy("the parent is inactive", NETSUITE, "Activate the parent, or choose another one."),
    "too_deep": Remedy("the hierarchy is too deep", NETSUITE, "Move the record up; the target has fewer levels."),
    "several_candidates": Remedy(
        "several records of the target match", TARGET, "Choose one on the page Match, or create a new one."
    ),
    "missing_without_note": Remedy(
        "NetSuite no longer shows it", NETSUITE, "Give the role access again, or deactivate it in the target."
    ),
    "cannot_deactivate": Remedy("it cannot be deactivated", FILE, "Map the target's active field."),
    "key_change": Remedy("its key would change", TARGET, "Correct the key in the target's record."),
    "key_blank": Remedy("its key is blank", NETSUITE, "Fill in the field that is the key."),
    "quota_exhausted": Remedy("the day's requests are used up", NOTHING, "Wait: the next run continues."),
    "flag_not_set": Remedy(
        "the export box is not ticked", NETSUITE, "Tick the box on the record, if it should be exported."
    ),
    "filtered_out": Remedy("the workflow leaves it out", FILE, "Change `select`, if it should be included."),
    "is_inactive": Remedy("it is inactive in NetSuite", NETSUITE, "Activate it in NetSuite, if it should be exported."),
    "inactive": Remedy("it is inactive in NetSuite", NETSUITE, "Activate it in NetSuite, if it should be exported."),
    "deleted": Remedy("it was deleted in NetSuite", NETSUITE, "Nothing, or choose another parent in NetSuite."),
    "out_of_subsidiary": Remedy("it is in another subsidiary", FILE, "Change `select`, if it should be included."),
    "not_picked": Remedy("it is not selected for import", MILLPOND, "Select it: `millpond import`."),
    "emptied_field": Remedy(
        "a field would be emptied everywhere", NETSUITE, "Check the field in NetSuite, then approve."
    ),
}  # fmt: skip
_BY_ACTION: Final[Mapping[str, Remedy]] = {
    "quarantined": Remedy("it cannot be sent as it is", NETSUITE, "Correct the record; the reason names the field."),
    "blocked": Remedy("it waits for another record", NOTHING, "Solve the cause of the other record; this one follows."),
    "ambiguous": Remedy("several records of the target match", TARGET, "Choose one on the page Match."),
    "failed": Remedy(
        "the outcome is not known", MILLPOND, "The next run reads the target and decides; no action is needed."
    ),
    "skipped": Remedy("the workflow does not select it", FILE, "Select the record, if it should be exported."),
    "deferred": Remedy("the day's requests are used up", NOTHING, "Wait: the next run continues."),
}  # fmt: skip
_REJECTED: Final = Remedy(
    "the target rejected it",
    TARGET,
    "Correct what the target names, there or in NetSuite; a changed record is sent again.",
)
_SENT: Final = Remedy("its parent is sent by the same run", NOTHING, "Approve the plan; these records follow.")
_UNKNOWN: Final = Remedy("another cause", MILLPOND, "See the reason.")


def remedy(code: str | None, action: str | None) -> Remedy:
    """Return the remedy of a cause: by its code, else by the decision on the record."""
    if code and code in REMEDIES:
        return REMEDIES[code]
    if code and code.startswith("rejected"):
        return _REJECTED
    if action in {"create", "adopt", "update", "reactivate", "deactivate"}:
        return _SENT
    return _BY_ACTION.get(action or "", _UNKNOWN)
