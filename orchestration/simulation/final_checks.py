"""The comparison of the targets with the truth, when faults and people have ended and everything is delivered."""

from collections.abc import Mapping
from datetime import datetime

from assets.delivery.reasons import is_documented
from orchestration.simulation import ledger
from orchestration.simulation.certificate_truth import by_key
from orchestration.simulation.targets import TargetRecord, place_of
from orchestration.simulation.truth import ACTIVE, OPEN, Key, Truth, Version
from orchestration.simulation.verdicts import Verdicts
from orchestration.simulation.world import World

WAITING_FOR_PEOPLE = frozenset({"quarantined", "blocked", "ambiguous", "failed"})
Held = Mapping[Key, tuple[str, str]]


def check_targets(world: World, truth: Truth, verdicts: Verdicts, records: Mapping[str, TargetRecord]) -> None:
    """Compare every record's newest requirement with its target."""
    decided: Held = {(row[0], row[1], row[2]): (row[3], row[4]) for row in ledger.open_decisions(world.warehouse)}
    shown = by_key(records)
    for workflow in world.workflows:
        place = place_of(workflow)
        for key, versions in truth.of(workflow.name):
            _check_record(verdicts, key, versions[-1], shown.get((place, versions[-1].key), []), decided)


def _check_record(verdicts: Verdicts, key: Key, required: Version, shown: list[TargetRecord], decided: Held) -> None:
    name, (action, code) = " ".join(key), decided.get(key, ("undecided", ""))
    if action in WAITING_FOR_PEOPLE and code:
        verdicts.hold("present", **{f"held_back_{code}": 1})
        return
    active = [each for each in shown if each.is_active]
    if required.state == OPEN:
        return
    if required.state != ACTIVE:
        if active:
            verdicts.broken("values", f"{name} is active in the target, and NetSuite's is not ({action} {code})")
        else:
            verdicts.hold("values", inactive_or_absent=1)
        return
    if not active:
        verdicts.broken("present", f"{name} is not in the target ({action} {code})")
        return
    verdicts.hold("present", in_the_target=1)
    if differences := required.differences(active[0]):
        verdicts.broken("values", f"{name} differs: {differences} ({action} {code})")
    else:
        verdicts.hold("values", records_alike=1, values_alike=len(required.values))


def check_ledger(world: World, verdicts: Verdicts) -> None:
    """Check that every intent has an end, and that nothing is still being sent."""
    unfinished = ledger.open_attempts(world.warehouse)
    for row in unfinished:
        verdicts.broken("intents", f"{' '.join(map(str, row))} has an intent without an end")
    for workflow, state in ledger.still_sending(world.warehouse):
        verdicts.broken("intents", f"{workflow} has a run or plan that is {state}")
    attempts = ledger.rows(world.warehouse, "sync_attempts", "select count(distinct attempt_id) from sync_attempts")
    verdicts.hold("intents", int(attempts[0][0]) - len(unfinished) if attempts else 0)


def check_reasons(world: World, verdicts: Verdicts) -> None:
    """Check that the reference of reason codes has every action and code that ever occurred."""
    for action, code, workflow in ledger.reasons_given(world.warehouse):
        if is_documented(action, code):
            verdicts.hold("reasons")
        else:
            verdicts.broken("reasons", f"{workflow}: {action} with the reason {code or '(none)'} is not documented")


def check_claims(world: World, verdicts: Verdicts, ended_at: datetime) -> None:
    """Check that every certificate has passed the time at which the faults ended."""
    claims = ledger.newest_claims(world.warehouse)
    for workflow in world.workflows:
        through = claims.get(workflow.name)
        if through is None or through < ended_at:
            verdicts.broken("catches_up", f"{workflow.name} is verified through {through}, not {ended_at}")
        else:
            verdicts.hold("catches_up")
