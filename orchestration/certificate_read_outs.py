"""Read NetSuite and the targets now, into files, for the second opinion on certificates.

NetSuite  ->  a warehouse of its own, in full  ->  stg_netsuite__*.parquet      target  ->  target.parquet
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from assets.delivery.audit.verification import read_types
from assets.delivery.errors import SyncError
from assets.delivery.ledger.certificates import file_text, newest_certificates
from assets.delivery.spec.sources import STAGING_PREFIX, key_column
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.extract import extract
from assets.target_registry import TARGETS
from assets.warehouse.staging import stage_table
from orchestration.certificate_check.check import Findings, check_certificate
from orchestration.certificate_check.read_outs import TARGET, literal, quoted
from orchestration.clients import extraction_settings
from orchestration.configuration.settings import MillpondSettings
from orchestration.connections import Connections, open_connections
from resources.scratch import scratch
from resources.warehouse.warehouse import Warehouse
from sql import statement

RUN = "certificate verify"


def check_workflows(name: str, given: Path | None, folder: Path) -> list[Findings]:
    """Return the findings about one workflow, or about all that have a certificate.

    Args:
        name: The workflow; blank: all.
        given: Folder of read-outs, with a folder per workflow; None: both sides are read now.
        folder: Where read-outs are written.

    Raises:
        SyncError: There is no such workflow, or it has no certificate.
        IntegrationError: A side cannot be read.
        ReadOutError: A read-out is missing or incomplete.
    """
    settings = MillpondSettings()
    with open_connections() as connections:
        workflows = _certified(connections, name)
        if given is None:
            _read_netsuite(connections, settings, workflows, folder)
            for each in workflows:
                _read_target(connections, each, folder / each.name)
        return [_check(connections, settings, each, given or folder) for each in workflows]


def _certified(connections: Connections, name: str) -> list[Workflow]:
    with connections.warehouse.writer(transaction=False) as con:
        certified = newest_certificates(con)
    chosen = [connections.workflow(name)] if name else list(connections.workflows.values())
    found = [each for each in chosen if each.name in certified]
    if not found:
        raise SyncError(f"{name or 'no workflow'} has {'no' if name else 'a'} certificate yet; each run computes one")
    return found


def _read_netsuite(
    connections: Connections, settings: MillpondSettings, workflows: Sequence[Workflow], folder: Path
) -> None:
    """Extract what the workflows read, in full, into a warehouse of its own, and write its staging tables."""
    types = {each.name: each for workflow in workflows for each in read_types(workflow)}
    wanted = extraction_settings(settings, list(connections.workflows.values()))
    with scratch(settings.warehouse, "certificate") as own:
        warehouse = Warehouse(own)
        for record_type in types:
            extract(warehouse, connections.clients["netsuite"], record_type, wanted, run_id=RUN)
        for workflow in workflows:
            for record in workflow.spec.records:
                definition = statement("staging", STAGING_PREFIX + record.source)
                with warehouse.writer() as con:
                    stage_table(con, definition)
                    _write(con, definition.name, folder / workflow.name / f"{definition.name}.parquet")


def _read_target(connections: Connections, workflow: Workflow, folder: Path) -> None:
    target, _ = connections.target(workflow)
    folder.mkdir(parents=True, exist_ok=True)
    target.read(workflow.spec.target_fields).write_parquet(folder / f"{TARGET}.parquet")


def _write(con: Any, table: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    con.execute(f"copy (from {quoted(table)}) to {literal(str(file))} (format parquet)")


def _check(connections: Connections, settings: MillpondSettings, workflow: Workflow, folder: Path) -> Findings:
    with connections.warehouse.writer(transaction=False) as con:
        newest = newest_certificates(con, workflow.name)[workflow.name]
    if changed := file_text(newest, workflow.spec.version):
        return Findings(workflow.name, newest.verified_through, problem=changed)
    text = (settings.workflows / workflow.name / "defs.yaml").read_text(encoding="utf-8")
    key_field = TARGETS[workflow.spec.target].key_field
    ids = {record.source: key_column(record.source) for record in workflow.spec.records}
    with connections.warehouse.writer(transaction=False) as con:
        attributes = yaml.safe_load(text)["attributes"]
        return check_certificate(con, workflow.name, attributes, folder / workflow.name, key_field=key_field, ids=ids)
