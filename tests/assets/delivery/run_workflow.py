"""One workflow, run as Dagster's assets run it: mart, target state, plan, sync."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import polars as pl

from assets.delivery.mart.build import make_mart, read_target_state
from assets.delivery.plan.planner import Planned, Workflow, make_plan
from assets.delivery.plan.undo import Undone, plan_undo
from assets.delivery.send.apply import Synced, run_sync
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import Target
from resources.clock import Clock
from resources.warehouse.tables import replace_table
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import customers, option_tree, projects


@dataclass
class Flow:
    """A warehouse, a target, and the runs between them."""

    warehouse: Warehouse
    target: Target
    clock: Clock
    spec: WorkflowSpec = field(default_factory=option_tree)
    name: str = "flow"
    runs: Any = field(default_factory=count)

    @property
    def workflow(self) -> Workflow:
        """The workflow as it is now."""
        return Workflow(self.name, self.spec)

    def stage(self, *of_customers: Mapping[str, Any], below: tuple[Mapping[str, Any], ...] = ()) -> "Flow":
        """What NetSuite has: customers, and projects below them."""
        with self.warehouse.writer() as con:
            replace_table(con, "stg_netsuite__customers", customers(*of_customers))
            replace_table(con, "stg_netsuite__projects", projects(*below))
        return self

    def plan(self, run_id: str) -> Planned:
        """Shape, read back, decide."""
        make_mart(self.warehouse, self.workflow)
        read_target_state(self.warehouse, self.workflow, self.target, run_id=run_id, clock=self.clock)
        return make_plan(self.warehouse, self.workflow, self.target, run_id=run_id, clock=self.clock)

    def send(self, run_id: str) -> Synced:
        """Send the plan."""
        return run_sync(self.warehouse, self.workflow, self.target, run_id=run_id, clock=self.clock)

    def release(self, plan_id: str, run_id: str, *only: str) -> Synced:
        """Send a plan that a person names, or parts of it."""
        return run_sync(
            self.warehouse, self.workflow, self.target, run_id=run_id, clock=self.clock, plan_id=plan_id, only=only
        )

    def undo(self, undo_run: str, *records: str, where: str = "") -> Undone:
        """Plan to take a run back."""
        return plan_undo(
            self.warehouse,
            self.workflow,
            self.target,
            undo_run,
            run_id=f"undo {next(self.runs)}",
            clock=self.clock,
            records=records,
            where=where,
        )

    def states(self) -> dict[str, str]:
        """Every plan's state, by id."""
        return dict(self.warehouse.read("select plan_id, state from sync_plans").rows())

    def run(self) -> dict[str, tuple[str, str]]:
        """A whole run; the final action and reason code of each source record."""
        run_id = f"run {next(self.runs)}"
        self.plan(run_id)
        decisions = self.send(run_id).decisions
        return {row["source_id"]: (row["action"], row["reason_code"]) for row in decisions.to_dicts()}

    def attempts(self, source_id: str | None = None) -> list[tuple[str, str, str]]:
        """Source id, action and state of every attempt, in order."""
        rows = self.warehouse.read("select source_id, action, state from sync_attempts order by rowid").rows()
        return [row for row in rows if source_id in {None, row[0]}]

    def table(self, name: str) -> pl.DataFrame:
        """A table of the warehouse."""
        return self.warehouse.table(name)
