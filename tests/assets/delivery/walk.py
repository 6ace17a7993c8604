"""A random walk through one target's workflows, reproducible by its seed: edits, people, faults, killed runs.

Walk(folder, seed, "precoro").go()  ->  None, or BrokenError("I2 …; reproduce: python -m tests.bench.invariants …")
"""

from collections import Counter
from collections.abc import Mapping

from assets.delivery.reasons import is_documented
from tests.assets.delivery.walk_absence import lose_access, merge, regain_access, wrongly_deactivated
from tests.assets.delivery.walk_events import BrokenError, WalkEvents
from tests.assets.delivery.walk_operator import apply_part, release_waiting, settle_ambiguous, undo_run
from tests.assets.delivery.walk_targets import LONGEST, TargetRecord
from tests.assets.delivery.walk_values import change_silently, nights

RUNS_TO_CONVERGE = 3


class Walk(WalkEvents):
    """The order of events, and the invariants that hold after each of them."""

    def go(self, steps: int = 4) -> None:
        """Take some steps with faults, then check that the target converges without them.

        Raises:
            BrokenError: The text names the invariant and the command that reproduces it.
        """
        try:
            for _ in range(steps):
                self.step()
                self.check()
            self.converge()
        except BrokenError as error:
            events = "\n".join(self.log)
            command = f"python -m tests.bench.invariants --target {self.system} --first {self.seed} --seeds 1"
            raise BrokenError(f"{error}; reproduce: {command}\n{events}") from error

    def step(self) -> None:
        """Make some edits, then run every workflow, perhaps with a fault."""
        for _ in range(self.dice.randint(0, 3)):
            self.dice.choice(
                [self.rename, self.rename, self.toggle_inactive, self.toggle_deleted, self.move, self.invalidate]
            )()
        for _ in range(self.dice.randint(0, 2)):
            self.dice.choice([self.edit_name, self.deactivate, self.remove, self.add_foreign, self.clear_key])()
        if self.dice.random() < 0.5:
            self.dice.choice([lose_access, lose_access, regain_access, merge])(self)
        if self.dice.random() < 0.3:
            change_silently(self)
        for name in self.specs:
            self.dice.choice([self.undisturbed, self.fault, self.fault, self.kill, self.kill, self.exhaust_quota])()
            self.dice.choice([self.run, self.run, self.run_subset, self.sync_some])(name)
            self.end_faults()
            if self.dice.random() < 0.3:  # as a message names it, or any other part
                self.run_subset(name)
                self.check()
            self.dice.choice([self.undisturbed, self.undisturbed, self.undo, self.apply_part])()
        if self.dice.random() < 0.3:
            self.sandbox.clock.sleep(86_400)
        if self.dice.random() < 0.3:
            self.set_clock()

    def run(self, name: str) -> str:
        """Run one workflow and return `completed` or the error; absence alone switches nothing off."""
        before = self.target.records()
        end = super().run(name)
        wrong = wrongly_deactivated(self, before, self.target.records())
        self.expect("absence deactivates nothing", not wrong, wrong)
        return end

    def apply_part(self) -> None:
        """Release one record of a plan: no other record changes."""
        apply_part(self)

    def undo(self) -> None:
        """Undo one of the last runs: records without later edits are as before it."""
        undo_run(self)

    # --- invariants -----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Check the invariants that hold at any time, whatever just failed."""
        records = self.target.records()
        keys = Counter((each.kind, each.key) for each in records.values() if each.key)
        self.expect("I2 nothing twice", not [key for key, count in keys.items() if count > 1], keys)
        foreign = {uid: records.get(uid) for uid in self.foreign}
        self.expect("I4 no foreign record changed", foreign == self.foreign)
        self._no_older_version(records)
        self._ledger_is_correct()

    def _no_older_version(self, records: Mapping[str, TargetRecord]) -> None:
        for uid, each in records.items():
            name = each.name or ""
            if not each.key or name.startswith("edited") or "v" not in name:
                continue
            version = int(name.rpartition("v")[2])
            self.expect("I3 nothing older over newer", version >= self.newest.get(uid, 0), (uid, version))
            self.newest[uid] = version

    def _ledger_is_correct(self) -> None:
        if not self.warehouse.has("sync_attempts"):
            return
        rows = self.warehouse.read(
            "select attempt_id, list(state) as states from sync_attempts group by attempt_id"
        ).rows()
        attempts = [set(states) for _, states in rows]
        self.expect("I5 an intent first", all("intent" in states for states in attempts))
        arrived = [states for states in attempts if states & {"confirmed", "found"}]
        both = [states for states in arrived if states & {"absent", "rejected", "not_sent"}]
        self.expect("I5 one outcome each", not both, both)
        counts = (len(arrived), self.target.records_written())
        self.expect("I5 no confirmation without a write", counts[0] <= counts[1], counts)
        self._one_decision_each()

    def _one_decision_each(self) -> None:
        """Check that every source record has at most one open decision."""
        several = self.warehouse.read(
            "select workflow, source, source_id from sync_decisions where to_run is null"
            " group by all having count(*) > 1"
        )
        self.expect("I1 one decision each", several.is_empty(), several.rows())

    def converge(self) -> None:
        """Run without faults: the target gets the desired records, and one more run writes nothing."""
        self.sandbox.clock.sleep(86_400)
        if self.dice.random() < 0.5:
            regain_access(self)
        nights(self)
        for key, truth in self.records().items():
            for row in (truth, self.hidden.get(key, truth)):
                if key in self.on_hold:  # a new name ends the undo hold
                    row["company_name" if "company_name" in row else "project_name"] = self.new_name()
        for _ in range(RUNS_TO_CONVERGE):
            settle_ambiguous(self)
            for name in self.specs:
                end = release_waiting(self, name, self.run(name))
                self.expect("I6 no error without faults", end == "completed", self.log[-1])
        self.check()
        self._check_desired()
        self._nothing_left_without_key()
        writes = self.target.write_calls()
        for name in self.specs:
            self.run(name)
        self.expect("I6 converged", self.target.write_calls() == writes, "one more run wrote")
        unresolved = self.warehouse.read(
            "select 1 from sync_attempts group by attempt_id having bool_and(state in ('intent', 'unknown'))"
        )
        self.expect("I5 every attempt resolved", unresolved.is_empty(), unresolved.height)
        self._decisions_are_documented()
        states = self.warehouse.read("select state from sync_runs union select state from sync_plans")["state"]
        self.expect("I5 nothing is being sent", "sending" not in set(states))

    def _decisions_are_documented(self) -> None:
        """Check that the reference of reason codes has every action and code that ever occurred."""
        found = self.warehouse.read("select distinct action, coalesce(reason_code, '') from sync_decisions").rows()
        undocumented = [pair for pair in found if not is_documented(*pair)]
        self.expect("I5 every decision has a documented reason", not undocumented, undocumented)

    def _nothing_left_without_key(self) -> None:
        """Check that every record without our key is another person's, or known by its link."""
        linked = {row[0] for row in self.warehouse.read("select target_id from sync_links").rows()}
        left = [
            uid
            for uid, each in self.target.records().items()
            if not each.key and uid not in self.foreign and uid.rpartition(" ")[2] not in linked
        ]
        self.expect("I2 nothing left without our key", not left, left)

    def _check_desired(self) -> None:
        records = self.target.records()
        by_key = {each.key: each for each in records.values() if each.key}
        active = {key for key, each in by_key.items() if each.is_active}
        for key, (state, name, parent) in self.desired(active).items():
            if state == "inactive":
                self.expect("I1 inactive", key not in by_key or not by_key[key].is_active, key)
            if state == "active":
                self.expect("I1 nothing lost", key in by_key, key)
                each = by_key[key]
                actual_parent = records[each.parent].key if each.parent in records else None
                actual, expected = (each.name, each.is_active, actual_parent), (name, True, parent)
                self.expect("I1 as desired", actual == expected, (key, actual, expected))

    def desired(self, active: set[str]) -> dict[str, tuple[str, str | None, str | None]]:
        """Return by key the desired state, name and parent: the engine's rules, written independently of it.

        Args:
            active: Keys of the active records in the target; below one that an undo switched off, nothing is created.

        Returns:
            `active`, `inactive` or `any` (nothing is sent, so the record stays as it is); name; key of the parent.
        """
        found: dict[str, tuple[str, str | None, str | None]] = {}
        for key, row in zip(self.records(), self.staged(self.records()), strict=True):
            name = row.get("company_name") if key in self.customers else row["project_name"]
            parent = None if key in self.customers else self.target.parent_key(row)
            parent_state = found[parent][0] if parent else "active"
            state = "active"
            if row["is_deleted"] or row["is_inactive"]:
                state = "inactive"
            elif row["is_missing"] or not (name or "").strip() or len(name or "") > LONGEST:
                state = "any"
            elif parent_state == "inactive" and self.target.follows_parent():
                state = "inactive"
            elif parent_state != "active" and parent not in active:
                state = "any"
            found[key] = (state, name, parent)
        return found
