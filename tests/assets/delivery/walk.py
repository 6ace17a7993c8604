"""A random life of one target's workflows, replayable from its seed: edits, people, faults, deaths; invariants hold.

Walk(folder, seed, "precoro").live()  ->  BrokenError("I2 …; replay: python -m tests.bench.invariants …"), or nothing
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from assets.delivery.plans import SyncError
from resources import failpoints
from resources.errors import IntegrationError
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.world import Sandbox
from resources.warehouse import PondError, Warehouse
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.flow import Flow
from tests.assets.delivery.second_thoughts import release_part, take_back
from tests.assets.delivery.sides import LONGEST, SIDES, Shown

CONVERGES_IN = 3
FIRST, SECOND = ("1", "2", "3", "4"), ("11", "12")
PROJECTS = ("100", "101", "102", "103")
ODD = (
    "",
    "A & B",
    "<b>",
    "Ünïcödé ß",
    "100%",
    'say "x"',
    "a+b=c",
    "  two  blanks",
    "日本",
    "naïve;",
    "\N{PILE OF POO}",
)


class Killed(BaseException):
    """The process would have died here."""


class BrokenError(AssertionError):
    """An invariant does not hold."""


@dataclass(frozen=True)
class Lived:
    """A run that is over: what the target had before and after it."""

    workflow: str
    before: Mapping[str, Shown]
    after: Mapping[str, Shown]


def _die() -> None:
    raise Killed


@dataclass
class Walk:
    """One world, one random source of everything that happens in it."""

    folder: Path
    seed: int
    system: str = "precoro"
    told: list[str] = field(default_factory=list)
    dice: random.Random = field(default_factory=random.Random)  # set by the seed, when none is given

    def __post_init__(self) -> None:
        if type(self.dice) is random.Random:
            self.dice.seed(self.seed)
        self.world = Sandbox(self.folder / "sandbox")
        self.side = SIDES[self.system](self.world)
        self.pond = Warehouse(self.folder / "pond")
        self.version = self.runs = 0
        self.customers = {key: customer(key, company_name=self.named()) for key in FIRST}
        self.specs = dict(self.side.specs)
        if self.seed % 3 == 0:
            self.specs["others"] = self.side.others
            self.customers |= {key: customer(key, company_name=self.named(), custentity_export="F") for key in SECOND}
        self.projects = {
            key: project(key, project_name=self.named(), customer_id=self.dice.choice(FIRST)) for key in PROJECTS
        }
        self.projects["103"]["parent_project_id"] = "100"
        self.foreign = self.side.records()
        self.newest: dict[str, int] = {}
        self.lived: dict[str, Lived] = {}
        self.held: set[str] = set()  # NetSuite ids that an undo may have put aside

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

    # --- what happens ---------------------------------------------------------------------------------------------

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

    def calm(self) -> None:
        """Nothing is wrong any more."""
        failpoints.disarm()
        self.world.faults.clear()
        self.side.allow(None)

    def named(self) -> str:
        """A name that nobody had before."""
        self.version += 1
        return f"{self.dice.choice(ODD)} v{self.version}".strip()

    def anything(self) -> dict[str, Any]:
        """A record of the source."""
        return self.dice.choice([*self.customers.values(), *self.projects.values()])

    def rename(self) -> None:
        """A new name, valid again when it was not."""
        row = self.anything()
        row["company_name" if "company_name" in row else "project_name"] = self.named()

    def switch(self) -> None:
        """Inactive, or live again."""
        row = self.anything()
        row["is_inactive"] = not row["is_inactive"]

    def delete(self) -> None:
        """Deleted, or restored."""
        row = self.anything()
        row["is_deleted"] = not row["is_deleted"]

    def move(self) -> None:
        """A project of another customer, or below another project."""
        row = self.projects[self.dice.choice(PROJECTS)]
        row["customer_id"] = self.dice.choice(FIRST)
        if row["project_id"] == "103":
            row["parent_project_id"] = self.dice.choice([None, "100", "101"])

    def spoil(self) -> None:
        """A name that the target does not take."""
        row = self.anything()
        bad = self.dice.choice([None, "  ", "x" * 300])
        row["company_name" if "company_name" in row else "project_name"] = bad

    def ours(self) -> list[str]:
        """Places of the target's records that carry our key."""
        return [place for place, each in self.side.records().items() if each.key]

    def person(self, edit: Callable[[str], None]) -> None:
        """Somebody edits one of our records in the target."""
        ours = self.ours()
        if ours:
            edit(self.dice.choice(ours))

    def by_hand(self) -> None:
        """Renamed by hand."""
        self.person(lambda place: self.side.edit(place, name=f"by hand {self.named()}"))

    def disabled(self) -> None:
        """Switched off by hand."""
        self.person(lambda place: self.side.edit(place, off=True))

    def removed(self) -> None:
        """Deleted by hand, with everything below it where the system does that."""
        self.person(self.side.remove)

    def stranger(self) -> None:
        """A record of somebody else, perhaps of the same name as one of ours."""
        before = self.side.records().keys()
        row = self.anything()
        self.side.stranger(str(row.get("company_name") or self.named())[:50])
        self.foreign |= {place: each for place, each in self.side.records().items() if place not in before}

    def unkeyed(self) -> None:
        """Our key is cleared by hand; only a link remembers whose it is."""
        if not self.pond.has("sync_links"):
            return
        linked = {row[0] for row in self.pond.read("select target_id from sync_links").rows()}
        ours = [place for place in self.ours() if place.rpartition(" ")[2] in linked]
        if ours:
            self.side.edit(self.dice.choice(ours), unkey=True)

    def peace(self) -> None:
        """Nothing goes wrong."""

    def fault(self) -> None:
        """Some answers are spoiled."""
        kind, (method, pattern) = self.dice.choice(list(FaultKind)), self.dice.choice(self.side.faulty)
        skip, times = self.dice.randint(0, self.side.patience), self.dice.randint(1, 4)
        self.told.append(f"fault {kind} {method}{pattern} after {skip}, {times} times")
        self.world.faults.plan(self.system, Fault(kind, method, pattern, skip, times))

    def death(self) -> None:
        """The process ends somewhere."""
        name, skip = self.dice.choice(list(failpoints.FAILPOINTS)), self.dice.randint(0, self.side.patience)
        self.told.append(f"death at {name} after {skip}")
        failpoints.arm(name, skip=skip, strike=_die)

    def allowance(self) -> None:
        """The day's calls end soon."""
        more = self.dice.randint(1, 8)
        self.told.append(f"{more} more calls today")
        self.side.allow(more)

    def run(self, name: str) -> str:
        """One run of one workflow; how it ended."""
        run_id, before, calls = self.new_run(), self.side.records(), self.side.calls()
        with self.flow(name) as flow:
            try:
                flow.plan(run_id)
                flow.send(run_id)
                end = "went through"
            except (Killed, IntegrationError, SyncError, PondError) as error:
                end = f"{type(error).__name__} {error}"
        self.lived[run_id] = Lived(name, before, self.side.records())
        self.told.append(f"{run_id} of {name}: {end}")
        self.holds("I7 calls are bounded", self.side.calls() - calls <= 120)
        return end

    def new_run(self) -> str:
        """The next run's id; all are as long, since a run is named by how its id begins."""
        self.runs += 1
        return f"run {self.runs:04}"

    @contextmanager
    def flow(self, name: str) -> Iterator[Flow]:
        """One workflow with NetSuite's records as they are now."""
        with self.side.open(name) as target:
            flow = Flow(self.pond, target, self.world.clock, self.specs[name], name, count(self.runs))
            yield flow.stage(*self.customers.values(), below=tuple(self.projects.values()))

    def release_part(self) -> None:
        """A person releases what a plan says of one record: no other is touched."""
        release_part(self)

    def take_back(self) -> None:
        """A person takes one of the last runs back: what nobody touched since is as it was."""
        take_back(self)

    # --- what must hold -------------------------------------------------------------------------------------------

    def holds(self, what: str, fact: object, told: object = "") -> None:
        """Stop the walk when an invariant does not hold."""
        if not fact:
            raise BrokenError(f"{what}: {told}")

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
        if not self.pond.has("sync_attempts"):
            return
        rows = self.pond.read("select attempt_id, list(state) as states from sync_attempts group by attempt_id").rows()
        ends = [set(states) for _, states in rows]
        self.holds("I5 an intent first", all("intent" in each for each in ends))
        both = [each for each in ends if each & {"confirmed", "found"} and each & {"absent", "rejected", "not_sent"}]
        self.holds("I5 one end each", not both, both)
        arrived, written = len([each for each in ends if each & {"confirmed", "found"}]), self.side.records_written()
        self.holds("I5 no claim without a write", arrived <= written, (arrived, written))
        self._one_decision_each()

    def _one_decision_each(self) -> None:
        """Of every source record that a finished run decided on."""
        open_ones = self.pond.read(
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
        open_ones = self.pond.read(
            "select 1 from sync_attempts group by attempt_id having bool_and(state in ('intent', 'unknown'))"
        )
        self.holds("I5 every attempt ended", open_ones.is_empty(), open_ones.height)
        states = {
            row[0] for row in self.pond.read("select state from sync_runs union select state from sync_plans").rows()
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
