"""The events of a random walk through one target's workflows; `walk` decides on their order.

WalkEvents(folder, seed, "precoro")  ->  rename(), edit_name(), fault(), kill(), run() …
"""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

from assets.delivery.errors import SyncError
from assets.delivery.realtime.sync_records import sync_records
from assets.delivery.schemas import KEY
from orchestration.simulation.crashable_warehouse import CrashableMemory, KilledError
from resources import failpoints
from resources.errors import IntegrationError
from resources.sandbox.faults import OUTAGES, Fault
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import WarehouseError
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.jumping_clock import JumpingClock
from tests.assets.delivery.run_workflow import ASSETS, SUBSETS, WorkflowRunner, materialize
from tests.assets.delivery.walk_targets import WALK_TARGETS, TargetRecord

FIRST, SECOND = ("1", "2", "3", "4"), ("11", "12")  # customers of the first workflow and of the second
PROJECTS = ("100", "101", "102", "103")
NAMES = (
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


class BrokenError(AssertionError):
    """An invariant does not hold."""


@dataclass(frozen=True)
class PastRun:
    """The target's records before and after a run."""

    workflow: str
    before: Mapping[str, TargetRecord]
    after: Mapping[str, TargetRecord]


@dataclass
class WalkEvents:
    """One sandbox, and one source of all random choices."""

    folder: Path
    seed: int
    system: str = "precoro"
    log: list[str] = field(default_factory=list)
    dice: random.Random = field(default_factory=random.Random)  # seeded unless one is given

    def __post_init__(self) -> None:
        if type(self.dice) is random.Random:
            self.dice.seed(self.seed)
        self.sandbox = Sandbox(self.folder / "sandbox")
        self.target = WALK_TARGETS[self.system](self.sandbox)
        self.warehouse = CrashableMemory(self.folder / "warehouse")
        self.clock = JumpingClock(self.sandbox.clock)
        if self.seed % 2:
            self.target.ignore_key_in_creates()
        self.version = self.runs = 0
        self.customers = {key: customer(key, company_name=self.new_name()) for key in FIRST}
        self.specs = dict(self.target.specs)
        if self.seed % 3 == 0:
            self.specs["others"] = self.target.others
            self.customers |= {
                key: customer(key, company_name=self.new_name(), custentity_export="F") for key in SECOND
            }
        self.projects = {
            key: project(key, project_name=self.new_name(), customer_id=self.dice.choice(FIRST)) for key in PROJECTS
        }
        self.projects["103"]["parent_project_id"] = "100"
        self.foreign = self.target.records()
        self.newest: dict[str, int] = {}  # uid to the newest version of its name
        self.past_runs: dict[str, PastRun] = {}
        self.on_hold: set[str] = set()  # NetSuite ids with a possible undo hold
        self.hidden: dict[str, dict[str, Any]] = {}  # last row that was read of each record that is not shown
        self.merged: set[str] = set()  # NetSuite ids of those that no longer exist
        # of records that changed without a date: the row that was read last, and NetSuite's row since
        self.unread: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    # --- edits in NetSuite ----------------------------------------------------------------------------------------

    def new_name(self) -> str:
        """Return a name that no record had before."""
        self.version += 1
        return f"{self.dice.choice(NAMES)} v{self.version}".strip()

    def any_record(self) -> dict[str, Any]:
        """Return a source record."""
        return self.dice.choice([*self.customers.values(), *self.projects.values()])

    def records(self) -> dict[str, dict[str, Any]]:
        """Return the source records by NetSuite id, as they are in NetSuite."""
        return {**self.customers, **self.projects}

    def staged(self, of: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """Return records as they were last read."""
        return [self.hidden.get(key, self.last_read(key, row)) for key, row in of.items()]

    def last_read(self, key: str, row: dict[str, Any]) -> dict[str, Any]:
        """Return the values of a record that were read last: a change with a date brings the others along."""
        read, since = self.unread.get(key, (row, row))
        return read if row == since else row

    def rename(self) -> None:
        """Give a record a new, valid name."""
        row = self.any_record()
        row["company_name" if "company_name" in row else "project_name"] = self.new_name()

    def toggle_inactive(self) -> None:
        """Deactivate or reactivate a record."""
        row = self.any_record()
        row["is_inactive"] = not row["is_inactive"]

    def toggle_deleted(self) -> None:
        """Delete or restore a record."""
        row = self.any_record()
        row["is_deleted"] = not row["is_deleted"]

    def move(self) -> None:
        """Move a project to another customer, or below another project."""
        row = self.projects[self.dice.choice(PROJECTS)]
        row["customer_id"] = self.dice.choice(FIRST)
        if row["project_id"] == "103":
            row["parent_project_id"] = self.dice.choice([None, "100", "101"])

    def invalidate(self) -> None:
        """Give a record a name that the target rejects."""
        row = self.any_record()
        bad = self.dice.choice([None, "  ", "x" * 300])
        row["company_name" if "company_name" in row else "project_name"] = bad

    # --- manual edits in the target -------------------------------------------------------------------------------

    def ours(self) -> list[str]:
        """Return the uids of the target's records that have our key."""
        return [uid for uid, each in self.target.records().items() if each.key]

    def _edit_one(self, edit: Callable[[str], None]) -> None:
        ours = self.ours()
        if ours:
            edit(self.dice.choice(ours))

    def edit_name(self) -> None:
        """Rename one of our records."""
        self._edit_one(lambda uid: self.target.edit(uid, name=f"edited {self.new_name()}"))

    def deactivate(self) -> None:
        """Deactivate one of our records."""
        self._edit_one(lambda uid: self.target.edit(uid, deactivate=True))

    def remove(self) -> None:
        """Delete one of our records, with its children if the system does that."""
        self._edit_one(self.target.remove)

    def add_foreign(self) -> None:
        """Add a record that is not ours, perhaps with the name of one that is."""
        before = self.target.records()
        row = self.any_record()
        # an option of the same name and place that appears while a create is lost looks like the create
        free = self.target.stores_key_in_creates() or row.get("customer_id") in {each.key for each in before.values()}
        self.target.add_foreign(str((row.get("company_name") if free else None) or self.new_name())[:50])
        self.foreign |= {uid: each for uid, each in self.target.records().items() if uid not in before}

    def clear_key(self) -> None:
        """Clear our key in a record, so that only its link identifies it."""
        if not self.warehouse.has("sync_links"):
            return
        linked = {row[0] for row in self.warehouse.read("select target_id from sync_links").rows()}
        ours = [uid for uid in self.ours() if uid.rpartition(" ")[2] in linked]
        if ours:
            self.target.edit(self.dice.choice(ours), clear_key=True)

    # --- faults ---------------------------------------------------------------------------------------------------

    def undisturbed(self) -> None:
        """Let the next run complete."""

    def fault(self) -> None:
        """Plan faults of some responses."""
        kind, (method, pattern) = self.dice.choice(OUTAGES), self.dice.choice(self.target.fault_patterns)
        skip, times = self.dice.randint(0, self.target.max_skip), self.dice.randint(1, 4)
        self.log.append(f"fault {kind} {method}{pattern} after {skip}, {times} times")
        self.sandbox.faults.plan(self.system, Fault(kind, method, pattern, skip, times))

    def kill(self) -> None:
        """Let the next run die at a failpoint."""
        name, skip = self.dice.choice(list(failpoints.FAILPOINTS)), self.dice.randint(0, self.target.max_skip)
        self.log.append(f"kill at {name} after {skip}")
        failpoints.arm(name, skip=skip, strike=self.warehouse.die)

    def set_clock(self) -> None:
        """Set the machine's clock; the services have their own."""
        days = self.dice.choice([-400, -1, 1, 1, 30])
        self.log.append(f"clock set by {days} days")
        self.clock.offset += timedelta(days=days)

    def exhaust_quota(self) -> None:
        """Let the daily call quota end soon."""
        calls = self.dice.randint(1, 8)
        self.log.append(f"{calls} calls left today")
        self.target.set_daily_quota(calls)

    def end_faults(self) -> None:
        """Remove failpoints, faults and quotas."""
        failpoints.disarm()
        self.sandbox.faults.clear()
        self.target.set_daily_quota(None)

    # --- runs -----------------------------------------------------------------------------------------------------

    def run(self, name: str) -> str:
        """Run one workflow and return `completed` or the error."""
        return self._attempt(name, "", lambda runner, run_id: materialize(runner, ASSETS, run_id))

    def run_subset(self, name: str) -> str:
        """Materialize some of a workflow's assets, in any selection."""
        subset = self.dice.choice(SUBSETS)
        return self._attempt(name, ", ".join(subset), lambda runner, run_id: materialize(runner, subset, run_id))

    def sync_some(self, name: str) -> str:
        """Sync a record in real time, with all records above it."""
        row = self.any_record()
        keys = {("projects", str(row.get("project_id"))), ("projects", str(row.get("parent_project_id")))}
        above = self.projects.get(str(row.get("parent_project_id")), row)
        keys |= {("customers", str(each["customer_id"])) for each in (row, above)}
        frame = pl.DataFrame(
            [key for key in sorted(keys) if key[1] != "None"], schema=dict.fromkeys(KEY, pl.String), orient="row"
        )
        return self._attempt(name, "in real time", lambda runner, run_id: sync_records(runner.context(run_id), frame))

    def _attempt(self, name: str, what: str, work: Callable[[WorkflowRunner, str], object]) -> str:
        run_id, before, calls = self.new_run_id(), self.target.records(), self.target.calls()
        with self.runner(name) as runner:
            try:
                work(runner, run_id)
                end = "completed"
            except (KilledError, IntegrationError, SyncError, WarehouseError) as error:
                end = f"{type(error).__name__} {error}"
        self.warehouse.is_dead = False
        self.past_runs[run_id] = PastRun(name, before, self.target.records())
        self.log.append(f"{run_id} of {name} {what}: {end}")
        self.expect("I7 calls are bounded", self.target.calls() - calls <= 120)
        return end

    def new_run_id(self) -> str:
        """Return the next run id; all have the same length, because a run is found by the beginning of its id."""
        self.runs += 1
        return f"run {self.runs:04}"

    @contextmanager
    def runner(self, name: str) -> Iterator[WorkflowRunner]:
        """Yield one workflow with the current NetSuite records staged."""
        with self.target.open(name) as target:
            runner = WorkflowRunner(self.warehouse, target, self.clock, self.specs[name], name, count(self.runs))
            yield runner.stage(*self.staged(self.customers), below=tuple(self.staged(self.projects)))

    def expect(self, invariant: str, fact: object, detail: object = "") -> None:
        """Raise a BrokenError if an invariant does not hold."""
        if not fact:
            raise BrokenError(f"{invariant}: {detail}")
