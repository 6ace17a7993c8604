"""The whole way from NetSuite into SuiteProjects Pro without Dagster: the shipped workflows, in their order."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from graphlib import TopologicalSorter
from typing import Any, Self

import polars as pl

from assets.delivery.component.component import load_workflow
from assets.delivery.mart.build import make_mart, read_target_state
from assets.delivery.plan.planner import Planned, Workflow, make_plan
from assets.delivery.plan.undo import Undone, plan_undo
from assets.delivery.send.apply import Synced, run_sync
from assets.delivery.spec.dependencies import unmet_needs
from assets.delivery.spec.expressions import STAGED, custom_fields, on_demand
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import Target
from assets.netsuite.extract.extract import ExtractionSettings, extract
from assets.netsuite.record_types import RECORD_TYPES
from assets.target_registry import TARGETS
from assets.warehouse.staging import build
from orchestration.settings import ROOT
from resources.netsuite.resource import open_netsuite
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse
from sql import names, statement
from tests.assets.suiteprojects.other_client import OtherClient, other_client

WORKFLOWS = ROOT / "orchestration" / "workflows"
CUSTOM = ("custentity_oa_export_to_openair", "custentity_department", "custentity_class", "custentity_location")
# a few days are a large share of a small world
SETTINGS = ExtractionSettings(custom_columns={"customers": CUSTOM, "projects": CUSTOM}, vanish_share=1)
Edit = Callable[[dict[str, Any]], None]


def shipped(name: str, edit: Edit | None = None) -> Workflow:
    """A shipped workflow, with its attributes edited as an operator would."""
    workflow = load_workflow(WORKFLOWS / name / "defs.yaml")
    if edit is None:
        return workflow
    given = workflow.spec.model_dump(by_alias=True, exclude_none=True, exclude={"records"})
    edit(given)
    return Workflow(name, WorkflowSpec.model_validate(given))


def switched_on(*fields: str, **top: Any) -> Edit:
    """Switch on rows of `fields` that are shipped off, and set keys of the top level."""

    def edit(given: dict[str, Any]) -> None:
        given.update(top)
        for row in given["fields"]:
            row["active"] = row["active"] or row["field"] in fields

    return edit


@dataclass
class Account:
    """One NetSuite account, one SuiteProjects Pro account, a warehouse between them."""

    sandbox: Sandbox
    warehouse: Warehouse
    workflows: dict[str, Workflow]
    runs: int = 0
    planned: dict[str, Planned] = field(default_factory=dict)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._netsuite = stack.enter_context(open_netsuite(sandbox=str(self.sandbox.folder)))
            self.client = stack.enter_context(open_suiteprojects(sandbox=str(self.sandbox.folder)))
            self.other: OtherClient = stack.enter_context(other_client(self.sandbox))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def use(self, *workflows: Workflow) -> None:
        """Take these workflow files in place of those of the same name, or besides the others."""
        self.workflows |= {each.name: each for each in workflows}

    def extract(self, record_types: Iterable[str] = tuple(RECORD_TYPES)) -> None:
        """NetSuite into the warehouse, and the staging tables made of it."""
        settings, custom = SETTINGS, dict[str, None]()
        for workflow in self.workflows.values():
            custom |= dict.fromkeys(on_demand(workflow.spec))
            for source, fields in custom_fields(workflow.spec, workflow.name).items():
                settings = settings.with_columns(source, sorted(fields))
        for record_type in (*record_types, *custom):
            extract(self.warehouse, self._netsuite, record_type, settings, run_id=f"run {self.runs}")
        with self.warehouse.writer() as con:
            for name in (*names("staging"), *(STAGED + each for each in custom)):
                build(con, statement("staging", name))

    def run(self) -> dict[str, Synced]:
        """Everything once: read, then each workflow after those that it needs."""
        self.runs += 1
        self.extract()
        assert not unmet_needs(list(self.workflows.values()), WORKFLOWS)
        needs = {name: each.spec.waits_for for name, each in self.workflows.items()}
        return {name: self.deliver(name) for name in TopologicalSorter(needs).static_order()}

    def deliver(self, name: str) -> Synced:
        """One workflow: shape, read back, decide, send."""
        workflow, target = self.workflows[name], self.plan(name)
        assert not self.planned[name].tripped, self.planned[name].tripped
        return run_sync(self.warehouse, workflow, target, run_id=f"run {self.runs}", clock=self.sandbox.clock)

    def plan(self, name: str) -> Target:
        """The same without sending anything; the target that it was planned for."""
        workflow, run_id = self.workflows[name], f"run {self.runs}"
        kind = TARGETS[workflow.spec.target]
        target = kind.build(self.client, workflow.spec.options)
        make_mart(self.warehouse, workflow, foreign=partial(kind.records, self.client))
        read_target_state(self.warehouse, workflow, target, run_id=run_id, clock=self.sandbox.clock)
        self.planned[name] = make_plan(self.warehouse, workflow, target, run_id=run_id, clock=self.sandbox.clock)
        return target

    def undo(self, name: str, run: int) -> Undone:
        """Take back what one of the runs did for a workflow, as `millpond undo` and `millpond apply` do."""
        workflow, clock = self.workflows[name], self.sandbox.clock
        target = TARGETS[workflow.spec.target].build(self.client, workflow.spec.options)
        undone = plan_undo(self.warehouse, workflow, target, f"run {run}", run_id=f"undo {run}", clock=clock)
        run_sync(self.warehouse, workflow, target, run_id=f"apply {run}", clock=clock, plan_id=undone.plan_id)
        return undone

    def decided(self, name: str) -> dict[str, tuple[str, str]]:
        """Action and reason of every record of a workflow, by NetSuite id."""
        rows = self.warehouse.read(
            "select source_id, action, reason from sync_decisions where workflow = ? and to_run is null", [name]
        )
        return {row[0]: (row[1], row[2]) for row in rows.iter_rows()}

    def held(self, type_name: str) -> dict[str, dict[str, str]]:
        """What the other client reads of a type: by external id, blank values left out."""
        rows = self.other.read(type_name)
        return {row["externalid"]: row for row in rows if "externalid" in row}

    def table(self, name: str) -> pl.DataFrame:
        """A table of the warehouse."""
        return self.warehouse.table(name)
