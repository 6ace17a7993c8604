"""A workflow that really ran, its certificate, and the second opinion from read-outs of both sides."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

from assets.delivery.certificate.certify import certify_run
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.mode import Mode
from assets.delivery.plan.planner import make_plan
from assets.delivery.send.apply import run_sync
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.precoro.target import OptionTarget
from assets.suiteprojects.target import SuiteProjectsTarget
from orchestration.certificate_check.check import Findings, check_certificate
from resources.precoro.connect import open_precoro
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.run_workflow import WorkflowRunner

IDS = {"customers": "customer_id", "projects": "project_id"}


@contextmanager
def options(folder: Path, spec: WorkflowSpec) -> Iterator[WorkflowRunner]:
    """Open a workflow that delivers to Precoro."""
    sandbox = Sandbox(folder / "sandbox")
    with open_precoro(sandbox=sandbox.folder) as client:
        yield WorkflowRunner(
            Warehouse(folder / "warehouse"), OptionTarget(client, 5144), sandbox.clock, spec, runs=count(10)
        )


@contextmanager
def customers(folder: Path, spec: WorkflowSpec) -> Iterator[WorkflowRunner]:
    """Open a workflow that delivers to SuiteProjects Pro."""
    sandbox = Sandbox(folder / "sandbox")
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        target = SuiteProjectsTarget(client, "Customer")
        yield WorkflowRunner(Warehouse(folder / "warehouse"), target, sandbox.clock, spec, runs=count(10))


def sandbox_of(runner: WorkflowRunner) -> Sandbox:
    """Return the stand-ins of a workflow."""
    return Sandbox(runner.warehouse.folder.parent / "sandbox")


def run(runner: WorkflowRunner, *, mode: Mode = Mode.SYNC, sends: bool = True) -> None:
    """Make a whole run that certifies before it sends; the target reuses a listing for a minute."""
    runner.clock.sleep(3600)
    context = runner.context(f"run {next(runner.runs)}")
    with runner.warehouse.kept_open():
        make_mart(runner.warehouse, runner.workflow)
        read_target_state(context)
        make_plan(context, mode=mode)
        certify_run(context)
        if sends:
            run_sync(context)


def edit(runner: WorkflowRunner, source_id: str, **changes: str) -> None:
    """Edit a customer in SuiteProjects Pro, as a person does."""
    ids = dict(runner.table("sync_links").select("source_id", "target_id").rows())
    sandbox_of(runner).suiteprojects.modify("Customer", int(ids[source_id]), **changes)


def kinds(runner: WorkflowRunner) -> dict[str, tuple[str, str]]:
    """Return kind and reason of the records that the newest certificate names."""
    rows = runner.warehouse.read("select source_id, kind, reason from sync_unverified").rows()
    return {source_id: (kind, reason) for source_id, kind, reason in rows}


def second_opinion(runner: WorkflowRunner, attributes: Mapping[str, Any], folder: Path) -> Findings:
    """Read both sides as they are now, and compare them with the newest certificate."""
    folder.mkdir(exist_ok=True)
    records: Sequence[Mapping[str, Any]] = attributes.get("records") or [attributes]
    for record in records:
        table = f"stg_netsuite__{record['source']}"
        runner.table(table).filter(~pl.col("is_deleted")).write_parquet(folder / f"{table}.parquet")
    runner.clock.sleep(3600)
    runner.target.read(runner.spec.target_fields).write_parquet(folder / "target.parquet")
    with runner.warehouse.writer(transaction=False) as con:
        return check_certificate(con, runner.name, attributes, folder, key_field=runner.target.key_field, ids=IDS)


def outcomes(found: Findings) -> dict[str, str]:
    """Return the outcome of each record."""
    return {each: outcome for outcome, ids in found.examples.items() for each in ids}
