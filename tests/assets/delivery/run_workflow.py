"""Run one workflow as Dagster's assets run it: mart, target state, plan, sync."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, count
from typing import Any

import polars as pl

from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import Planned, make_plan
from assets.delivery.plan.undo import PlannedUndo, make_undo
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import SyncResult, run_sync
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import Target
from resources.clock import Clock
from resources.warehouse.tables import replace_table
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customers, option_tree, projects

ASSETS = ("mart", "target", "plan", "sync")
SUBSETS = [each for size in range(1, 5) for each in combinations(ASSETS, size)]


@dataclass
class WorkflowRunner:
    """A warehouse, a target, and the runs of a workflow between them."""

    warehouse: Warehouse
    target: Target
    clock: Clock
    spec: WorkflowSpec = field(default_factory=option_tree)
    name: str = "flow"
    runs: Any = field(default_factory=count)

    @property
    def workflow(self) -> Workflow:
        """The workflow with its current spec."""
        return Workflow(self.name, self.spec)

    def context(self, run_id: str) -> RunContext:
        """Return the context of a run."""
        return RunContext(self.warehouse, self.workflow, self.target, run_id, self.clock)

    def stage(self, *of_customers: Mapping[str, Any], below: tuple[Mapping[str, Any], ...] = ()) -> "WorkflowRunner":
        """Replace the staged NetSuite records: customers, and projects below them."""
        with self.warehouse.writer() as con:
            replace_table(con, "stg_netsuite__customers", customers(*of_customers))
            replace_table(con, "stg_netsuite__projects", projects(*below))
        return self

    def plan(self, run_id: str) -> Planned:
        """Make the mart, read the target, and plan."""
        with self.warehouse.kept_open():
            make_mart(self.warehouse, self.workflow)
            read_target_state(self.context(run_id))
            return make_plan(self.context(run_id))

    def send(self, run_id: str) -> SyncResult:
        """Send the newest plan."""
        with self.warehouse.kept_open():
            return run_sync(self.context(run_id))

    def apply(self, plan_id: str, run_id: str, *only: str) -> SyncResult:
        """Send a plan by its id, or parts of it."""
        return run_sync(self.context(run_id), plan_id=plan_id, only=only)

    def undo(self, undone_run: str, *records: str, where: str = "") -> PlannedUndo:
        """Plan the undo of a run."""
        return make_undo(self.context(f"undo {next(self.runs)}"), undone_run, records=records, where=where)

    def states(self) -> dict[str, str]:
        """Return every plan's state, by id."""
        return dict(self.warehouse.read("select plan_id, state from sync_plans").rows())

    def run(self) -> dict[str, tuple[str, str]]:
        """Make a whole run and return the final action and reason code of each source record."""
        run_id = f"run {next(self.runs)}"
        with self.warehouse.kept_open():
            self.plan(run_id)
            decisions = self.send(run_id).decisions
        return {row["source_id"]: (row["action"], row["reason_code"]) for row in decisions.to_dicts()}

    def attempts(self, source_id: str | None = None) -> list[tuple[str, str, str]]:
        """Return source id, action and state of every attempt, in order."""
        rows = self.warehouse.read("select source_id, action, state from sync_attempts order by rowid").rows()
        return [row for row in rows if source_id in {None, row[0]}]

    def table(self, name: str) -> pl.DataFrame:
        """Return a table of the warehouse."""
        return self.warehouse.table(name)


def materialize(runner: WorkflowRunner, subset: Sequence[str], run_id: str) -> None:
    """Materialize some of ASSETS in their order."""
    context = runner.context(run_id)
    if "mart" in subset:
        make_mart(runner.warehouse, runner.workflow, run_id=run_id)
    if "target" in subset:
        read_target_state(context)
    if "plan" in subset:
        make_plan(context)
    if "sync" in subset:
        run_sync(context)
