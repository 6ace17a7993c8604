"""A random life of one target's workflows, replayable from its seed: edits, people, faults, deaths; invariants hold.

Walk(folder, seed, "precoro").live()  ->  BrokenError("I2 …; replay: python -m tests.bench.invariants …"), or nothing
"""

from collections import Counter
from collections.abc import Mapping

from tests.assets.delivery.walk_events import BrokenError, Events
from tests.assets.delivery.walk_operator import release_part, take_back
from tests.assets.delivery.walk_targets import LONGEST, Shown

CONVERGES_IN = 3


class Walk(Events):
    """What comes after what, and what must hold whatever comes."""

    def live(self, steps: int = 4) -> None:
        """Some troubled steps, then peace.

        Raises:
            BrokenError: The text names the invariant and how to see it again.
        """
        try:
            for _ in range(steps):
                self.step()
                self.check()
            self.settle()
        except BrokenError as error:
            story = "\n".join(self.told)
            again = f"python -m tests.bench.invariants --target {self.system} --first {self.seed} --seeds 1"
            raise BrokenError(f"{error}; replay: {again}\n{story}") from error

    def step(self) -> None:
        """Edits here and there, then every workflow runs, perhaps into trouble."""
        for _ in range(self.dice.randint(0, 3)):
            self.dice.choice([self.rename, self.rename, self.switch, self.delete, self.move, self.spoil])()
        for _ in range(self.dice.randint(0, 2)):
            self.dice.choice([self.by_hand, self.disabled, self.removed, self.stranger, self.unkeyed])()
        for name in self.specs:
            self.dice.choice([self.peace, self.fault, self.fault, self.death, self.death, self.allowance])()
            self.run(name)
            self.calm()
            self.dice.choice([self.peace, self.peace, self.take_back, self.release_part])()
        if self.dice.random() < 0.3:
            self.world.clock.sleep(86_400)

    def release_part(self) -> None:
        """A person releases what a plan says of one record: no other is touched."""
        release_part(self)

    def take_back(self) -> None:
        """A person takes one of the last runs back: what nobody touched since is as it was."""
        take_back(self)

    # --- what must hold -------------------------------------------------------------------------------------------

    def check(self) -> None:
        """What holds at any moment, whatever just died."""
        now = self.side.records()
        keys = Counter((each.kind, each.key) for each in now.values() if each.key)
        self.holds("I2 nothing twice", not [key for key, count in keys.items() if count > 1], keys)
        self.holds("I4 nothing of others touched", {place: now.get(place) for place in self.foreign} == self.foreign)
        self._no_older_version(now)
        self._ledger_is_true()

    def _no_older_version(self, now: Mapping[str, Shown]) -> None:
        for place, each in now.items():
            name = each.name or ""
            if not each.key or name.startswith("by hand") or "v" not in name:
                continue
            version = int(name.rpartition("v")[2])
            self.holds("I3 nothing older over newer", version >= self.newest.get(place, 0), (place, version))
            self.newest[place] = version

    def _ledger_is_true(self) -> None:
        if not self.warehouse.has("sync_attempts"):
            return
        rows = self.warehouse.read(
            "select attempt_id, list(state) as states from sync_attempts group by attempt_id"
        ).rows()
        ends = [set(states) for _, states in rows]
        self.holds("I5 an intent first", all("intent" in each for each in ends))
        both = [each for each in ends if each & {"confirmed", "found"} and each & {"absent", "rejected", "not_sent"}]
        self.holds("I5 one end each", not both, both)
        arrived, written = len([each for each in ends if each & {"confirmed", "found"}]), self.side.records_written()
        self.holds("I5 no claim without a write", arrived <= written, (arrived, written))
        self._one_decision_each()

    def _one_decision_each(self) -> None:
        """Of every source record that a finished run decided on."""
        open_ones = self.warehouse.read(
            "select workflow, source, source_id from sync_decisions where to_run is null"
            " group by all having count(*) > 1"
        )
        self.holds("I1 one decision each", open_ones.is_empty(), open_ones.rows())

    def settle(self) -> None:
        """Peace: so many runs later everything is as it should be, and one more writes nothing."""
        self.world.clock.sleep(86_400)
        for row in [row for key, row in {**self.customers, **self.projects}.items() if key in self.held]:
            row["company_name" if "company_name" in row else "project_name"] = self.named()  # which ends an undo's hold
        for _ in range(CONVERGES_IN):
            for name in self.specs:
                self.holds("I6 peace", self.run(name) == "went through", self.told[-1])
        self.check()
        self._as_desired()
        writes = self.side.write_calls()
        for name in self.specs:
            self.run(name)
        self.holds("I6 converged", self.side.write_calls() == writes, "one more run wrote")
        open_ones = self.warehouse.read(
            "select 1 from sync_attempts group by attempt_id having bool_and(state in ('intent', 'unknown'))"
        )
        self.holds("I5 every attempt ended", open_ones.is_empty(), open_ones.height)
        states = {
            row[0]
            for row in self.warehouse.read("select state from sync_runs union select state from sync_plans").rows()
        }
        self.holds("I5 nobody claims to be sending", "sending" not in states)

    def _as_desired(self) -> None:
        records = self.side.records()
        there = {each.key: each for each in records.values() if each.key}
        for key, (state, name, parent) in self.desired(set(there)).items():
            if state == "off":
                self.holds("I1 off", key not in there or not there[key].is_on, key)
            if state == "on":
                self.holds("I1 nothing lost", key in there, key)
                each = there[key]
                above = records[each.parent].key if each.parent in records else None
                shown = (each.name, each.is_on, above)
                self.holds("I1 as it should be", shown == (name, True, parent), (key, shown, (name, True, parent)))

    def desired(self, there: set[str]) -> dict[str, tuple[str, str | None, str | None]]:
        """Key to on, off or as it is, name and parent: the rules said once more, without the engine."""
        found: dict[str, tuple[str, str | None, str | None]] = {}
        for key, row in {**self.customers, **self.projects}.items():
            name = row.get("company_name") if key in self.customers else row["project_name"]
            parent = None if key in self.customers else self.side.parent_key(row)
            above = found[parent][0] if parent else "on"
            state = "on"
            if row["is_deleted"] or row["is_inactive"]:
                state = "off"
            elif not (name or "").strip() or len(name or "") > LONGEST:
                state = "as it is"
            elif above == "off" and self.side.follows_parent():
                state = "off"
            elif above != "on" and parent not in there:
                state = "as it is"
            found[key] = (state, name, parent)
        return found
