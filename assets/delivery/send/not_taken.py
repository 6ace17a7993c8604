"""Fields that a target leaves as they were although it confirms the write: read-only, hidden or disabled ones.

confirmed write, values before, values shown  ->  kept_fields()  ->  the write is rejected, or not the mapped values

A value that the target converts is another one than before. Where it is the one before, nothing was written: the record
must count neither as delivered nor as edited in the target.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from assets.delivery.ledger.normalization import EMPTIED, OTHER, differences
from assets.delivery.send.batches import Step
from assets.delivery.target import Action, Outcome, Verdict, Write

NOT_TAKEN = "not_taken"


def kept_fields(write: Write, outcome: Outcome, changes: Iterable[Mapping[str, str | None]]) -> set[str]:
    """Return the fields of a confirmed write that the target shows with the value of before.

    Args:
        write: The write.
        outcome: Its outcome; without the target's values nothing is known.
        changes: Its changes: field, before, after.
    """
    if outcome.verdict is not Verdict.CONFIRMED or not outcome.echo or write.action is Action.CREATE:
        return set()
    before = {str(each["field"]): each["before"] or "" for each in changes}
    kinds = differences(write.values, outcome.echo, write.changed & before.keys())
    lost = {name for name, kind in kinds.items() if kind in {OTHER, EMPTIED}}
    return {name for name in lost if (outcome.echo[name] or "") == before[name]}


def judge_kept(step: Step, write: Write, outcome: Outcome) -> Outcome:
    """Return the outcome; a write of which the target took no field is a rejection."""
    kept = kept_fields(write, outcome, json.loads(step.image))
    if not kept or kept != write.changed:
        return outcome
    reason = (
        f"it answered that the record was saved, but {', '.join(sorted(kept))} has the value of before: make the field"
        " writable for the integration user, or remove its row from the workflow file"
    )
    return replace(outcome, verdict=Verdict.REJECTED, code=NOT_TAKEN, reason=reason)
