"""One Precoro company: staged NetSuite records, and runs of the shipped workflow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

import polars as pl

from assets.delivery.imports.candidates import make_candidates, make_selection, make_tree
from assets.delivery.imports.selection import ImportSelection
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.mode import Mode
from assets.delivery.plan.planner import Planned, make_plan
from assets.delivery.run_context import RunContext
from assets.delivery.send.apply import SyncResult, run_sync
from assets.delivery.spec.loader import read_workflow
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.target_registry import TARGETS
from assets.warehouse.staging_schemas import staging_schemas
from orchestration.configuration.settings import ROOT
from resources.precoro.client import PrecoroClient
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.tables import replace_table
from resources.warehouse.warehouse import Warehouse

SHIPPED = ROOT / "orchestration" / "workflows" / "precoro__options" / "defs.yaml"
ACTIVE = {"is_person": False, "is_inactive": False, "is_deleted": False}

Row = Mapping[str, Any]


def customer(customer_id: str, **changes: Any) -> dict[str, Any]:
    """Return an active customer of subsidiary 2."""
    row = {"customer_id": customer_id, "stage": "customer", "company_name": f"Company {customer_id}"}
    return {
        **ACTIVE,
        **row,
        "entity_number": f"C{customer_id}",
        "subsidiary_id": "2",
        "subsidiary_ids": ["2"],
        **changes,
    }


def project(project_id: str, customer_id: str | None, parent: str | None = None, **changes: Any) -> dict[str, Any]:
    """Return an active project of a customer, or below another project."""
    row = {"project_id": project_id, "project_name": f"Project {project_id}", "customer_id": customer_id}
    more = {"parent_project_id": parent, "subsidiary_id": "2", "entity_number": f"P{project_id}"}
    return {**ACTIVE, **row, **more, **changes}


def shipped(customers: Row | None = None, projects: Row | None = None, **changes: Any) -> WorkflowSpec:
    """Return the shipped workflow, with some of its settings changed."""
    attributes = read_workflow(SHIPPED).model_dump(by_alias=True)
    for record, edits in zip(attributes["records"], (customers, projects), strict=True):
        record.update(edits or {})
    return WorkflowSpec.model_validate(attributes | changes)


@dataclass
class Company:
    """A warehouse, a client and a workflow."""

    warehouse: Warehouse
    sandbox: Sandbox
    client: PrecoroClient
    spec: WorkflowSpec = field(default_factory=shipped)
    name: str = "precoro__options"
    field_id: int = 5144
    runs: Any = field(default_factory=count)

    @property
    def workflow(self) -> Workflow:
        """The workflow with its current spec."""
        return Workflow(self.name, self.spec)

    def netsuite(self, *customers: Row, projects: tuple[Row, ...] = ()) -> "Company":
        """Replace the staged NetSuite records."""
        tables = {"stg_netsuite__customers": customers, "stg_netsuite__projects": projects}
        with self.warehouse.writer() as con:
            for name, rows in tables.items():
                replace_table(con, name, pl.DataFrame(list(rows), schema=staging_schemas()[name].schema))
        return self

    def plan(
        self, mode: Mode = Mode.SYNC, *ids: str, search: str = "", all_records: bool = False, run_id: str = ""
    ) -> Planned:
        """Make the mart, select records for import, read the target, and plan."""
        run_id = run_id or f"run {next(self.runs)}"
        target, clock = self.target(), self.sandbox.clock
        make_mart(self.warehouse, self.workflow)
        if self.spec.imports:
            selection = ImportSelection(ids, search, all_records)
            make_selection(self.warehouse, self.workflow, selection, run_id=run_id, clock=clock)
        read_target_state(RunContext(self.warehouse, self.workflow, target, run_id, clock))
        planned = make_plan(RunContext(self.warehouse, self.workflow, target, run_id, clock), mode=mode)
        if self.spec.imports:
            make_candidates(self.warehouse, self.workflow)
        return planned

    def run(
        self, mode: Mode = Mode.SYNC, *ids: str, search: str = "", all_records: bool = False
    ) -> dict[str, tuple[str, str]]:
        """Make a whole run and return action and reason code of every record."""
        run_id = f"run {next(self.runs)}"
        planned = self.plan(mode, *ids, search=search, all_records=all_records, run_id=run_id)
        assert not planned.tripped
        decisions = self.send(run_id).decisions
        if self.spec.imports:
            make_candidates(self.warehouse, self.workflow)
            make_tree(self.warehouse, self.workflow)
        return {row["source_id"]: (row["action"], row["reason_code"]) for row in decisions.to_dicts()}

    def send(self, run_id: str) -> SyncResult:
        """Send the newest plan."""
        return run_sync(RunContext(self.warehouse, self.workflow, self.target(), run_id, self.sandbox.clock))

    def target(self) -> Any:
        """Return the target of the current spec."""
        return TARGETS[self.spec.target].build(self.client, self.spec.options)

    def options(self) -> dict[str, dict[str, Any]]:
        """Return our options by NetSuite id, with the parent's NetSuite id; a duplicate key fails."""
        rows = self.sandbox.precoro.options(self.field_id)
        keys = {row["option_id"]: row["external_id"] for row in rows}
        ours = [row | {"parent": keys.get(row["parent_id"])} for row in rows if row["external_id"]]
        assert len({row["external_id"] for row in ours}) == len(ours)
        return {row["external_id"]: row for row in ours}

    def tree(self) -> dict[str, tuple[int, str | None]]:
        """Return level and parent's NetSuite id of our enabled options, by NetSuite id."""
        return {key: (row["level"], row["parent"]) for key, row in self.options().items() if row["enable"]}

    def writes(self) -> list[tuple[str, dict[str, str]]]:
        """Return method and form of every write so far."""
        calls = [call for call in self.sandbox.precoro.call_log() if call["method"] != "GET"]
        return [(call["method"], dict(parse_qsl(call["body"], keep_blank_values=True))) for call in calls]

    def table(self, layer: str) -> pl.DataFrame:
        """Return one of the workflow's tables."""
        return self.warehouse.table(f"{layer}_{self.name}")
