"""A world for random lives of one target's workflows, and the single things that happen in it.

Events(folder, seed, "precoro")  ->  rename(), by_hand(), fault(), death(), run() …; what comes when is up to `walk`
"""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from assets.delivery.ledger.plans import SyncError
from resources import failpoints
from resources.errors import IntegrationError
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse, WarehouseError
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.run_workflow import Flow
from tests.assets.delivery.walk_targets import SIDES, Shown

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
class Events:
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
        self.warehouse = Warehouse(self.folder / "warehouse")
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
        if not self.warehouse.has("sync_links"):
            return
        linked = {row[0] for row in self.warehouse.read("select target_id from sync_links").rows()}
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
            except (Killed, IntegrationError, SyncError, WarehouseError) as error:
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
            flow = Flow(self.warehouse, target, self.world.clock, self.specs[name], name, count(self.runs))
            yield flow.stage(*self.customers.values(), below=tuple(self.projects.values()))

    def holds(self, what: str, fact: object, told: object = "") -> None:
        """Stop the walk when an invariant does not hold."""
        if not fact:
            raise BrokenError(f"{what}: {told}")
