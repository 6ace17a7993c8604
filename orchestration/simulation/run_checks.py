"""Compare runs with their attempts: what they say they did, and what no one approved.

rows of sync_runs since a position, attempts of the same time  ->  check_counts(), check_limits()  ->  verdicts

Both count attempts, not what the engine counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from assets.delivery.ledger.runs import COUNT_COLUMNS
from assets.delivery.spec.policies import Guards
from assets.delivery.target import Action
from orchestration.simulation.ledger import Attempt, RunRow
from orchestration.simulation.verdicts import Verdicts

ARRIVED = ("confirmed", "found")
LIMITED = (Action.CREATE, Action.UPDATE, Action.DEACTIVATE, Action.REACTIVATE)


def check_counts(runs: Iterable[RunRow], attempts: Iterable[Attempt], when: str, verdicts: Verdicts) -> None:
    """Check that a run that finished counts the records whose writes it saw arrive; what it adopts needs no write."""
    last = {(each.run_id, *each.record, each.action): each.state for each in attempts if each.state != "finished"}
    sent = {(each.run_id, *each.record, each.action) for each in attempts if each.state == "intent"}
    arrived = Counter((key[0], key[1], key[-1]) for key, state in last.items() if state in ARRIVED and key in sent)
    for run in runs:
        for action in LIMITED:
            counted, found = run.counts.get(COUNT_COLUMNS[action], 0), arrived[run.run_id, run.workflow, action.value]
            if counted == found:
                verdicts.hold("counts", **{COUNT_COLUMNS[action]: found})
            else:
                text = f"{when}: {run.workflow} counts {counted} {COUNT_COLUMNS[action]}, {found} arrived"
                verdicts.broken("counts", text)


def check_limits(
    runs: Iterable[RunRow], attempts: Iterable[Attempt], guards: Mapping[str, Guards], ours: Mapping[str, int],
    when: str, verdicts: Verdicts,
) -> None:  # fmt: skip
    """Check that a plan that no one approved changed no more records than its workflow allows.

    Args:
        runs: The runs.
        attempts: What they sent.
        guards: The limits, by workflow.
        ours: The number of our records in the target before, by workflow: an engine that counts fewer allows fewer.
        when: The day and run, for the text of a violation.
        verdicts: The verdicts.
    """
    sent = Counter((each.run_id, each.workflow, each.action) for each in attempts if each.state == "intent")
    for run in (each for each in runs if not each.approved_by):
        total = ours[run.workflow] + sent[run.run_id, run.workflow, Action.ADOPT.value]
        for action in LIMITED:
            allowed = getattr(guards[run.workflow], action.value).allowed(total)
            records = sent[run.run_id, run.workflow, action.value]
            if allowed is not None and records > allowed:
                text = (
                    f"{when}: {run.workflow} sent {records} records to {action}, {allowed} are allowed without approval"
                )
                verdicts.broken("guards", text)
            elif allowed is not None:
                verdicts.hold("guards", within_a_limit=int(records > 0))
