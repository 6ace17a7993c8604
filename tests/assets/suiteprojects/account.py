"""Run the shipped workflows from NetSuite to SuiteProjects Pro, in their order and without Dagster."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from graphlib import TopologicalSorter
from typing import Any, Self

import polars as pl

from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import Planned, make_plan
from assets.delivery.plan.undo import PlannedUndo, make_undo
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import SyncResult, run_sync
from assets.delivery.spec.dependencies import unmet_dependencies
from assets.delivery.spec.expressions import custom_fields
from assets.delivery.spec.sources import STAGING_PREFIX
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import Target
from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.record_types import RECORD_TYPES
from assets.target_registry import TARGETS
from assets.warehouse.staging import stage_table
from orchestration.configuration.settings import ROOT
from resources.netsuite.connect import open_netsuite
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse
from sql import names, statement
from tests.assets.suiteprojects.other_client import OtherClient, other_client

WORKFLOWS = ROOT / "orchestration" / "workflows"
CUSTOM = ("custentity_oa_export_to_openair", "custentity_department", "custentity_class", "custentity_location")
# a few days of changes are a large share of a small account
SETTINGS = ExtractionSettings(custom_columns={"customers": CUSTOM, "projects": CUSTOM}, vanish_share=1)
Edit = Callable[[dict[str, Any]], None]


def shipped(name: str, edit: Edit | None = None) -> Workflow:
    """Return a shipped workflow, with its attributes edited as an operator would."""
    workflow = load_workflow(WORKFLOWS / name / "defs.yaml")
    if edit is None:
        return workflow
    given = workflow.spec.model_dump(by_alias=True, exclude_none=True, exclude={"records"})
    edit(given)
    return Workflow(name, WorkflowSpec.model_validate(given))


def switched_on(*fields: str, **top: Any) -> Edit:
    """Return an edit that activates the rows of these fields and sets keys of the top level."""

    def edit(given: dict[str, Any]) -> None:
        given.update(top)
        for row in given["fields"]:
            row["active"] = row["active"] or row["field"] in fields

    return edit


@dataclass
class Account:
    """One NetSuite account, one SuiteProjects Pro account, and a warehouse between them."""

    sandbox: Sandbox
    warehouse: Warehouse
    workflows: dict[str, Workflow]
    runs: int = 0
    planned: dict[str, Planned] = field(default_factory=dict)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.warehouse.kept_open())
            self._netsuite = stack.enter_context(open_netsuite(sandbox=str(self.sandbox.folder)))
            self.client = stack.enter_context(open_suiteprojects(sandbox=str(self.sandbox.folder)))
            self.other: OtherClient = stack.enter_context(other_client(self.sandbox))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def use(self, *workflows: Workflow) -> None:
        """Add these workflows, or replace those of the same name."""
        self.workflows |= {each.name: each for each in workflows}

    def extract(self, record_types: Iterable[str] = tuple(RECORD_TYPES)) -> None:
        """Extract NetSuite into the warehouse, and build the staging tables."""
        on_demand = dict[str, None]()
        columns = {source: dict.fromkeys(names) for source, names in SETTINGS.custom_columns.items()}
        for workflow in self.workflows.values():
            on_demand |= dict.fromkeys(workflow.spec.on_demand_sources)
            for source, fields in custom_fields(workflow.spec, workflow.name).items():
                columns.setdefault(source, {}).update(dict.fromkeys(sorted(fields)))
        settings = replace(SETTINGS, custom_columns={source: tuple(names) for source, names in columns.items()})
        for record_type in (*record_types, *on_demand):
            extract(self.warehouse, self._netsuite, record_type, settings, run_id=f"run {self.runs}")
        with self.warehouse.writer() as con:
            for name in (*names("staging"), *(STAGING_PREFIX + each for each in on_demand)):
                stage_table(con, statement("staging", name))

    def run(self) -> dict[str, SyncResult]:
        """Extract, then sync each workflow after those that it depends on."""
        self.runs += 1
        self.extract()
        assert not unmet_dependencies(list(self.workflows.values()), WORKFLOWS)
        upstream = {name: each.spec.upstream for name, each in self.workflows.items()}
        return {name: self.deliver(name) for name in TopologicalSorter(upstream).static_order()}

    def deliver(self, name: str) -> SyncResult:
        """Plan and sync one workflow."""
        workflow, target = self.workflows[name], self.plan(name)
        assert not self.planned[name].tripped, self.planned[name].tripped
        return run_sync(RunContext(self.warehouse, workflow, target, f"run {self.runs}", self.sandbox.clock))

    def plan(self, name: str) -> Target:
        """Plan one workflow, and return its target."""
        workflow, run_id = self.workflows[name], f"run {self.runs}"
        kind = TARGETS[workflow.spec.target]
        target = kind.build(self.client, workflow.spec.options)
        make_mart(self.warehouse, workflow, read_system=partial(kind.records, self.client))
        read_target_state(RunContext(self.warehouse, workflow, target, run_id, self.sandbox.clock))
        self.planned[name] = make_plan(RunContext(self.warehouse, workflow, target, run_id, self.sandbox.clock))
        return target

    def undo(self, name: str, run: int) -> PlannedUndo:
        """Undo a run of a workflow, as `millpond undo` and `millpond apply` do."""
        workflow, clock = self.workflows[name], self.sandbox.clock
        target = TARGETS[workflow.spec.target].build(self.client, workflow.spec.options)
        undone = make_undo(RunContext(self.warehouse, workflow, target, f"undo {run}", clock), f"run {run}")
        run_sync(RunContext(self.warehouse, workflow, target, f"apply {run}", clock), plan_id=undone.plan_id)
        return undone

    def decisions(self, name: str) -> dict[str, tuple[str, str]]:
        """Return action and reason of every record of a workflow, by NetSuite id."""
        rows = self.warehouse.read(
            "select source_id, action, reason from sync_decisions where workflow = ? and to_run is null", [name]
        )
        return {row[0]: (row[1], row[2]) for row in rows.iter_rows()}

    def records(self, type_name: str) -> dict[str, dict[str, str]]:
        """Return the records of a type, as the other client reads them, by external id; blank values are omitted."""
        rows = self.other.read(type_name)
        return {row["externalid"]: row for row in rows if "externalid" in row}

    def table(self, name: str) -> pl.DataFrame:
        """Return a table of the warehouse."""
        return self.warehouse.table(name)
