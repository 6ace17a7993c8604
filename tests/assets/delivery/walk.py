"""A random life of one workflow or two, replayable from its seed: edits, people, faults, deaths; invariants hold.

Walk(seed).live()  ->  BrokenError("I2 …; replay: python -m tests.bench.invariants --first SEED --seeds 1"), or nothing
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assets.delivery.plans import SyncError
from assets.delivery.spec import WorkflowSpec
from assets.precoro.target import OptionTarget
from resources import failpoints
from resources.errors import IntegrationError
from resources.precoro.connect import open_precoro
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.world import Sandbox
from resources.warehouse import PondError, Warehouse
from tests.assets.delivery.builders import customer, one_source, option_tree, project
from tests.assets.delivery.flow import Flow

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
TREE = option_tree(
    records=[
        {**option_tree().records[0].model_dump(by_alias=True), "select": {"where": "custentity_export = 'T'"}},
        option_tree().records[1].model_dump(by_alias=True),
    ]
)
OTHERS = one_source(select={"where": "custentity_export = 'F'"}, options={"item_custom_field": 5144})


class Killed(BaseException):
    """The process would have died here."""


class BrokenError(AssertionError):
    """An invariant does not hold."""


def _die() -> None:
    raise Killed


@dataclass
class Walk:
    """One world, one random source of everything that happens in it."""

    folder: Path
    seed: int
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.world = Sandbox(self.folder / "sandbox")
        self.pond = Warehouse(self.folder / "pond")
        self.version = self.runs = 0
        self.customers = {key: customer(key, company_name=self.named()) for key in FIRST}
        self.specs: dict[str, WorkflowSpec] = {"tree": TREE}
        if self.seed % 3 == 0:
            self.specs["others"] = OTHERS
            self.customers |= {key: customer(key, company_name=self.named(), custentity_export="F") for key in SECOND}
        self.projects = {
            key: project(key, project_name=self.named(), customer_id=self.dice.choice(FIRST)) for key in PROJECTS
        }
        self.projects["103"]["parent_project_id"] = "100"
        self.foreign = {each["option_id"]: each for each in self.world.precoro.options()}
        self.newest: dict[str, int] = {}
        self.touched: set[int] = set()

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
            again = f"python -m tests.bench.invariants --first {self.seed} --seeds 1"
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
            failpoints.disarm()
            self.world.faults.clear()
            self.world.switches.set("precoro", PrecoroSwitches, calls_per_day=3000)
        if self.dice.random() < 0.3:
            self.world.clock.advance(86_400)

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

    def ours(self) -> list[dict[str, Any]]:
        """The target's records that carry our key."""
        return [each for each in self.world.precoro.options() if each["external_id"]]

    def person(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Somebody edits one of our records in the target."""
        ours = self.ours()
        if ours:
            edit(self.dice.choice(ours))

    def by_hand(self) -> None:
        """Renamed by hand."""
        self.person(lambda each: self.world.precoro.edit_option(each["option_id"], name=f"by hand {self.named()}"))

    def disabled(self) -> None:
        """Switched off by hand, once each: the same edit made twice passes for the target's own way."""
        self.person(self._disable)

    def _disable(self, option: dict[str, Any]) -> None:
        if option["option_id"] not in self.touched:
            self.touched.add(option["option_id"])
            self.world.precoro.edit_option(option["option_id"], enable=0)

    def removed(self) -> None:
        """Deleted by hand, with everything below it."""
        self.person(lambda each: self.world.precoro.remove_option(each["option_id"]))

    def stranger(self) -> None:
        """A record of somebody else, perhaps of the same name as one of ours."""
        name = str(self.anything().get("company_name") or self.named())[:50]
        number = self.world.precoro.add_option(name)
        self.foreign[number] = next(each for each in self.world.precoro.options() if each["option_id"] == number)

    def unkeyed(self) -> None:
        """Our key is cleared by hand; only a link remembers whose it is."""
        if not self.pond.has("sync_links"):
            return
        linked = {row[0] for row in self.pond.read("select target_id from sync_links").rows()}
        ours = [each for each in self.ours() if str(each["option_id"]) in linked]
        if ours:
            self.world.precoro.edit_option(self.dice.choice(ours)["option_id"], external_id=None)

    def peace(self) -> None:
        """Nothing goes wrong."""

    def fault(self) -> None:
        """Some answers are spoiled."""
        kind, method = self.dice.choice(list(FaultKind)), self.dice.choice(["POST", "PUT", "GET", ""])
        skip, times = self.dice.randint(0, 4), self.dice.randint(1, 4)
        self.told.append(f"fault {kind} {method} after {skip}, {times} times")
        self.world.faults.plan("precoro", Fault(kind, method, "", skip, times))

    def death(self) -> None:
        """The process ends somewhere."""
        name, skip = self.dice.choice(list(failpoints.FAILPOINTS)), self.dice.randint(0, 5)
        self.told.append(f"death at {name} after {skip}")
        failpoints.arm(name, skip=skip, strike=_die)

    def allowance(self) -> None:
        """The day's calls end soon."""
        more = self.dice.randint(1, 8)
        self.told.append(f"{more} more calls today")
        self.world.switches.set("precoro", PrecoroSwitches, calls_per_day=more)

    def run(self, name: str) -> str:
        """One run of one workflow; how it ended."""
        self.runs += 1
        calls = self.world.precoro.calls_made()
        with open_precoro(sandbox=self.world.folder) as client:
            flow = Flow(self.pond, OptionTarget(client, 5144), self.world.clock, self.specs[name], name)
            flow.stage(*self.customers.values(), below=tuple(self.projects.values()))
            try:
                flow.plan(f"run {self.runs}")
                flow.send(f"run {self.runs}")
                end = "went through"
            except (Killed, IntegrationError, SyncError, PondError) as error:
                end = f"{type(error).__name__} {error}"
        self.told.append(f"run {self.runs} of {name}: {end}")
        self.holds("I7 calls are bounded", self.world.precoro.calls_made() - calls <= 120)
        return end

    # --- what must hold -------------------------------------------------------------------------------------------

    def holds(self, what: str, fact: object, told: object = "") -> None:
        """Stop the walk when an invariant does not hold."""
        if not fact:
            raise BrokenError(f"{what}: {told}")

    def check(self) -> None:
        """What holds at any moment, whatever just died."""
        now = {each["option_id"]: each for each in self.world.precoro.options()}
        keys = Counter(each["external_id"] for each in now.values() if each["external_id"])
        self.holds("I2 nothing twice", not [key for key, count in keys.items() if count > 1], keys)
        others = {number: now.get(number) for number in self.foreign}
        self.holds("I4 nothing of others touched", others == self.foreign, "a foreign option differs")
        self._no_older_version(now)
        self._ledger_is_true()

    def _no_older_version(self, now: dict[int, dict[str, Any]]) -> None:
        for each in now.values():
            name = each["name"] or ""
            if not each["external_id"] or name.startswith("by hand") or "v" not in name:
                continue
            place, version = str(each["option_id"]), int(name.rpartition("v")[2])
            self.holds("I3 nothing older over newer", version >= self.newest.get(place, 0), (place, version))
            self.newest[place] = version

    def _ledger_is_true(self) -> None:
        if not self.pond.has("sync_attempts"):
            return
        served = [
            call for call in self.world.precoro.log() if call["method"] in {"POST", "PUT"} and call["status"] < 300
        ]
        rows = self.pond.read("select attempt_id, list(state) as states from sync_attempts group by attempt_id").rows()
        ends = [set(states) for _, states in rows]
        self.holds("I5 an intent first", all("intent" in each for each in ends))
        both = [each for each in ends if each & {"confirmed", "found"} and each & {"absent", "rejected", "not_sent"}]
        self.holds("I5 one end each", not both, both)
        arrived = len([each for each in ends if each & {"confirmed", "found"}])
        self.holds("I5 no claim without a write", arrived <= len(served), (arrived, len(served)))

    def settle(self) -> None:
        """Peace: so many runs later everything is as it should be, and one more writes nothing."""
        self.world.clock.advance(86_400)
        for _ in range(CONVERGES_IN):
            for name in self.specs:
                self.holds("I6 peace", self.run(name) == "went through", self.told[-1])
        self.check()
        self._as_desired()
        writes = self.world.precoro.write_calls()
        for name in self.specs:
            self.run(name)
        self.holds("I6 converged", self.world.precoro.write_calls() == writes, "one more run wrote")
        open_ones = self.pond.read(
            "select 1 from sync_attempts group by attempt_id having bool_and(state in ('intent', 'unknown'))"
        )
        self.holds("I5 every attempt ended", open_ones.is_empty(), open_ones.height)
        states = {
            row[0] for row in self.pond.read("select state from sync_runs union select state from sync_plans").rows()
        }
        self.holds("I5 nobody claims to be sending", "sending" not in states)

    def _as_desired(self) -> None:
        options = self.world.precoro.options()
        keys = {each["option_id"]: each["external_id"] for each in options}
        there = {each["external_id"]: each for each in options if each["external_id"]}
        for key, (state, name, parent) in self.desired(set(there)).items():
            if state == "off":
                self.holds("I1 off", key not in there or not there[key]["enable"], key)
            if state == "on":
                self.holds("I1 nothing lost", key in there, key)
                shown = (there[key]["name"], there[key]["enable"], keys.get(there[key]["parent_id"]))
                self.holds("I1 as it should be", shown == (name, True, parent), (key, shown, (name, True, parent)))

    def desired(self, there: set[str]) -> dict[str, tuple[str, str | None, str | None]]:
        """Key to on, off or as it is, name and parent: the rules said once more, without the engine."""
        found: dict[str, tuple[str, str | None, str | None]] = {}
        for key, row in {**self.customers, **self.projects}.items():
            name = row.get("company_name") if key in self.customers else row["project_name"]
            parent = None if key in self.customers else row["parent_project_id"] or row["customer_id"]
            above = found[parent][0] if parent else "on"
            state = "on"
            if row["is_deleted"] or row["is_inactive"]:
                state = "off"
            elif not (name or "").strip() or len(name or "") > 256:
                state = "as it is"
            elif above == "off":
                state = "off"
            elif above == "as it is" and parent not in there:
                state = "as it is"
            found[key] = (state, name, parent)
        return found
