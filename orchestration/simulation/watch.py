"""Watch the targets around each run: every change must be explained by the ledger, and none may touch others' records.

before = watch.begin()  ->  the run  ->  watch.end(before)  ->  verdicts: once, scope, explained, decisions, counts …
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.simulation import ledger
from orchestration.simulation.calls import Calls
from orchestration.simulation.ledger import Attempt
from orchestration.simulation.run_checks import check_counts, check_limits
from orchestration.simulation.targets import TargetRecord, Targets, place_of
from orchestration.simulation.truth import ACTIVE, Truth, Version
from orchestration.simulation.verdicts import Verdicts
from orchestration.simulation.world import World

Records = Mapping[str, TargetRecord]


@dataclass(frozen=True)
class Before:
    """The targets, the ledger, the calls and the planned faults before a run."""

    records: Records
    position: int
    calls: Calls
    faults_left: int


class Watch:
    """Comparisons of the targets before and after each run."""

    def __init__(self, world: World, targets: Targets, truth: Truth, verdicts: Verdicts) -> None:
        self._world, self._targets, self._truth, self._verdicts = world, targets, truth, verdicts

    def begin(self) -> Before:
        """Return what a run finds."""
        position, calls = ledger.last_position(self._world.warehouse), Calls.so_far(self._world)
        return Before(self._targets.all(), position, calls, self._world.sandbox.faults.left())

    def end(self, before: Before, when: str, *, quotas_end: bool) -> list[Attempt]:
        """Compare; return the rows of attempts that the run added.

        Args:
            before: The result of `begin`.
            when: The day and run, for the text of a violation.
            quotas_end: A quota was about to end.
        """
        after, attempts = self._targets.all(), ledger.attempts_since(self._world.warehouse, before.position)
        self._check_once(after, when)
        self._check_changes(before.records, after, attempts, when)
        self._check_newer(before.records, after, when)
        self._check_decisions(when)
        self._check_runs(before, attempts, when)
        calls, unread = Calls.so_far(self._world) - before.calls, before.faults_left - self._world.sandbox.faults.left()
        self._check_quota(calls, when, quotas_end=quotas_end, unread=unread)
        return attempts

    def _check_once(self, records: Records, when: str) -> None:
        keys = Counter((each.uid.rpartition(" ")[0], each.key) for each in records.values() if each.key)
        twice = sorted(key for key, count in keys.items() if count > 1)
        for place, key in twice:
            self._verdicts.broken("once", f"{when}: {place} has the key {key} twice")
        self._verdicts.hold("once", len(keys) - len(twice))

    def _check_changes(self, before: Records, after: Records, attempts: list[Attempt], when: str) -> None:
        changed = [uid for uid, each in after.items() if uid not in before or before[uid].raw != each.raw]
        explained, unfinished = self._explanations(attempts)
        for uid in sorted(changed):
            place = uid.rpartition(" ")[0]
            is_new, key = uid not in before, after[uid].key
            if uid in explained or (place, key) in unfinished:
                self._verdicts.hold("explained", created=int(is_new), changed=int(not is_new))
            elif is_new and key is None and (place, None) in unfinished:
                self._verdicts.hold("explained", created_without_a_key=1)
            else:
                kind = "created" if is_new else "changed"
                self._verdicts.broken("explained", f"{when}: no attempt in the ledger has {kind} {uid}")
        others = {uid for uid, each in before.items() if not each.key} - explained
        touched = sorted(uid for uid in others if after.get(uid) is None or after[uid].raw != before[uid].raw)
        gone = sorted(uid for uid in before if uid not in after and uid not in others)
        for uid in touched:
            self._verdicts.broken("scope", f"{when}: {uid}, which is not ours, was changed")
        for uid in gone:
            self._verdicts.broken("scope", f"{when}: {uid} was deleted")
        self._verdicts.hold("scope", len(others) - len(touched))

    def _check_newer(self, before: Records, after: Records, when: str) -> None:
        """Check that no record shows an older version of NetSuite's than before, by the values that can be derived."""
        places = {each.name: place_of(each) for each in self._world.workflows}
        versions = {(places[key[0]], of[-1].key): of for key, of in self._truth.versions.items()}
        for uid, each in after.items():
            known = versions.get((uid.rpartition(" ")[0], each.key or ""))
            if known is None or uid not in before:
                continue
            changed = before[uid].raw != each.raw
            earlier, now = (_version_shown(known, of) if changed else None for of in (before[uid], each))
            if earlier is not None and now is not None and now < earlier:
                text = f"{when}: {uid} showed version {earlier + 1} of {each.key} and now shows version {now + 1}"
                self._verdicts.broken("newer", text)
            else:
                self._verdicts.hold("newer")

    def _explanations(self, attempts: list[Attempt]) -> tuple[set[str], set[tuple[str, str | None]]]:
        """Return the uids that attempts name, and place and key of the records that creates may have made."""
        workflows = {each.name: each for each in self._world.workflows}
        explained = {f"{place_of(workflows[each.workflow])} {each.target_id}" for each in attempts if each.target_id}
        answered = {each.record for each in attempts if each.target_id}
        unfinished = set[tuple[str, str | None]]()
        for each in attempts:
            if each.action == "create" and each.record not in answered:
                place, versions = place_of(workflows[each.workflow]), self._truth.versions.get(each.record, [])
                unfinished |= {(place, None), *((place, version.key) for version in versions)}
        return explained, unfinished

    def _check_decisions(self, when: str) -> None:
        decisions = Counter(row[:3] for row in ledger.open_decisions(self._world.warehouse))
        several = sorted(key for key, count in decisions.items() if count > 1)
        for key in several:
            self._verdicts.broken("decisions", f"{when}: {' '.join(key)} has several open decisions")
        self._verdicts.hold("decisions", len(decisions) - len(several))

    def _check_runs(self, before: Before, attempts: list[Attempt], when: str) -> None:
        runs = ledger.runs_since(self._world.warehouse, before.position)
        check_counts(runs, attempts, when, self._verdicts)
        keyed = Counter(each.uid.rpartition(" ")[0] for each in before.records.values() if each.key)
        guards = {each.name: each.spec.guards for each in self._world.workflows}
        ours = {each.name: keyed[place_of(each)] for each in self._world.workflows}
        check_limits(runs, attempts, guards, ours, when, self._verdicts)

    def _check_quota(self, calls: Calls, when: str, *, quotas_end: bool, unread: int) -> None:
        """Check that calls end when a quota ends; a refusal whose answer was lost or cut may be asked for again."""
        allowed = len(self._world.workflows) * 2 + unread if quotas_end else 0
        if calls.refused > allowed:
            self._verdicts.broken("quota", f"{when}: {calls.refused} calls were refused, {allowed} are expected")
        self._verdicts.hold("quota", calls.made, refused_as_a_quota_ended=calls.refused)


def _version_shown(versions: list[Version], record: TargetRecord) -> int | None:
    """Return the newest version that an active record shows; None if it shows none."""
    shown = [number for number, each in enumerate(versions) if each.state == ACTIVE and each.is_shown_by([record])]
    return shown[-1] if shown else None
