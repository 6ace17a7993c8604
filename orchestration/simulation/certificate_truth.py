"""Compare the certificates that a run computed with the truth: NetSuite's versions, and the target before the run.

A certificate through T is true if each record's target is as NetSuite's version at T requires, or as a later one does;
records that the certificate names as held back are left out, as are those that NetSuite never showed to the role.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime

from orchestration.simulation import ledger
from orchestration.simulation.events import Record
from orchestration.simulation.targets import TargetRecord, place_of
from orchestration.simulation.truth import Truth
from orchestration.simulation.verdicts import Verdicts
from orchestration.simulation.world import World

Records = Mapping[str, TargetRecord]


def check_certificates(
    world: World,
    truth: Truth,
    verdicts: Verdicts,
    run_id: str,
    before: Records,
    when: str,
    hidden: Collection[Record] = (),
) -> None:
    """Compare the certificates of one run with the truth.

    `before` are the targets' records when it began, `hidden` the records that the role does not see: of those that it
    never saw, no certificate speaks.
    """
    shown, unknown = by_key(before), {each for each in hidden if not ledger.was_read(world.warehouse, *each)}
    for workflow, through in ledger.certificates_of(world.warehouse, run_id):
        if through is None:
            verdicts.hold("certificates", 0, without_a_time=1)
            continue
        lies = _lies(world, truth, workflow, through, shown, unknown)
        for lie in lies:
            verdicts.broken("certificates", f"{when}: {workflow} through {through:%Y-%m-%d %H:%M:%S}, but {lie}")
        if not lies:
            verdicts.hold("certificates", claims=1)


def by_key(records: Records) -> Mapping[tuple[str, str], list[TargetRecord]]:
    """Return the records by place and key."""
    found: defaultdict[tuple[str, str], list[TargetRecord]] = defaultdict(list)
    for uid, each in records.items():
        if each.key:
            found[uid.rpartition(" ")[0], each.key].append(each)
    return found


def _lies(
    world: World,
    truth: Truth,
    name: str,
    through: datetime,
    shown: Mapping[tuple[str, str], list[TargetRecord]],
    unknown: Collection[Record],
) -> list[str]:
    workflow = next(each for each in world.workflows if each.name == name)
    place, held = place_of(workflow), ledger.held_in_certificate(world.warehouse, name)
    observed, lies = truth.through(through), list[str]()
    for (_, source, source_id), versions in truth.of(name):
        first = max((number for number, each in enumerate(versions) if each.number <= observed), default=-1)
        if first < 0 or (source, source_id) in held or (source, source_id) in unknown:
            continue
        records = shown.get((place, versions[first].key), [])
        if not any(each.is_shown_by(records) for each in versions[first:]):
            required = versions[first]
            actual = [required.differences(each) or "inactive" for each in records] or "is not there"
            lies.append(f"{source} {source_id} is required {required.state} and shows {actual}")
    return lies
