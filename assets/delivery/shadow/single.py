"""The evidence that one record shows by itself: damage, an edit that was seen, an earlier version, a row of ours.

Difference, its record's earlier versions  ->  cause_of_one()  ->  a Cause, or none
"""

from collections.abc import Sequence
from typing import Final

from assets.delivery.shadow.earlier import Earlier
from assets.delivery.shadow.evidence import EDITED, FILTER, INCUMBENT_ERROR, TIMING, UNKNOWN, Cause, damage
from assets.delivery.shadow.facts import Difference, Setting, aged, when
from assets.delivery.shadow.sides import NOT_THERE, ONLY_THERE, STILL_ACTIVE

NEVER_BROUGHT: Final = "never_brought"
LIFECYCLE: Final = "lifecycle_"  # of the kinds of records that are still active there, before the engine's reason
EDIT_SEEN, GONE_SEEN = "changed_in_target", "gone_from_target"  # kinds of what was seen to happen in the target


def cause_of_one(each: Difference, earlier: Sequence[Earlier], setting: Setting) -> Cause | None:
    """Return the cause that the record's own evidence shows."""
    if each.field == ONLY_THERE:
        return _left_out(each, earlier)
    if each.field == NOT_THERE:
        return _missing(each, earlier, setting)
    if each.field == STILL_ACTIVE:
        return _still_active(each, setting)
    return damage(each.wanted, each.found) or _edited(each, earlier, setting) or _earlier_value(each, earlier, setting)


def _still_active(each: Difference, setting: Setting) -> Cause:
    cause = aged(setting, each.modified_at, "NetSuite's record changed last", "still_active")
    if cause and cause.cause == TIMING:
        return cause
    text = f"our row deactivates it ({each.reason}), and the connector has left it active"
    return Cause(FILTER, f"{LIFECYCLE}{each.code}", text, each.modified_at)


def _edited(each: Difference, earlier: Sequence[Earlier], setting: Setting) -> Cause | None:
    """Return that the target's value was seen to change although NetSuite's did not."""
    if each.was_alike:
        seen = f"the target had our value at the comparison{when(setting)}"
        if any(version.values.get(each.field, each.wanted) == each.found for version in earlier):
            text = f"{seen}, and has the one from before NetSuite's change again: the connector or a person put it back"
            return Cause(UNKNOWN, "went_back", text)
        text = f"{seen} and has another one now, while NetSuite's did not change; the target's log knows who changed it"
        return Cause(EDITED, EDIT_SEEN, text)
    is_known = each.known is not None and each.known.kind in {EDIT_SEEN, "went_back"}
    return each.known if is_known else None  # the same two values as when it was seen to happen


def _earlier_value(each: Difference, earlier: Sequence[Earlier], setting: Setting) -> Cause | None:
    for version in earlier:
        if each.field in version.values and version.values[each.field] == each.found:
            return aged(setting, version.changed_at, "the target has the value from before NetSuite's change", "stale")
    return None


def _left_out(each: Difference, earlier: Sequence[Earlier]) -> Cause:
    """Return our own row as the cause of a record that the target has and that the workflow leaves out."""
    was = next((version for version in earlier if version.is_selected), None)
    if was and was.changed_at:
        since = f"{was.changed_at:%Y-%m-%d %H:%M} UTC"
        text = f"the target has it; our row selected it until NetSuite's change of {since}, and leaves it out now"
        return Cause(FILTER, f"no_longer_{each.code}", text, was.changed_at)
    return Cause(FILTER, each.code or "left_out", f"the target has it, and our row leaves it out: {each.reason}")


def _missing(each: Difference, earlier: Sequence[Earlier], setting: Setting) -> Cause | None:
    """Return the cause of a record that the target lacks, as far as the record itself shows it."""
    if each.was_alike:
        text = f"the target had it at the comparison{when(setting)}, and it is not found now: deleted or renamed there"
        return Cause(EDITED, GONE_SEEN, text)
    if each.known and each.known.kind == GONE_SEEN:
        return each.known
    if each.lost:
        return _match_lost(each, setting)
    if each.linked:
        text = f"Millpond had linked it to {each.linked}, which the target does not show now: deleted or hidden there"
        return Cause(EDITED, GONE_SEEN, text)
    was_left_out = next((version for version in earlier if not version.is_selected), None)
    since = was_left_out.changed_at if was_left_out else each.created_at
    what = "NetSuite's record was changed so that we select it" if was_left_out else "NetSuite's record was created"
    cause = aged(setting, since, what, NEVER_BROUGHT)
    return cause if cause and cause.cause != INCUMBENT_ERROR else None


def _match_lost(each: Difference, setting: Setting) -> Cause:
    cause = aged(setting, each.modified_at, "NetSuite's record was changed, not the target's", "match_lost")
    if cause and cause.cause == TIMING:
        return cause
    text = "it was found in the target before, and no rule finds it any more: a run would create another one"
    return Cause(UNKNOWN, "match_lost", text, each.modified_at)
