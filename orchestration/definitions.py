"""Everything that Dagster loads, on one screen.

workflow files  ->  assets; groups.yaml  ->  jobs, schedules, sensors; settings  ->  resources
"""

from pathlib import Path

import dagster as dg

from assets.delivery.mapping import MappingError, source_columns
from assets.delivery.spec import WorkflowFileError
from assets.delivery.sync import Workflow
from assets.delivery.workflow import broken_definitions, load_workflow, workflow_definitions
from assets.netsuite.extract import ExtractionSettings
from assets.netsuite.raw import RAW_ASSETS
from assets.warehouse.snapshot import analyst_snapshot
from assets.warehouse.staging import STAGING_ASSETS
from orchestration.jobs import group_jobs, load_groups
from orchestration.schedules import group_schedules
from orchestration.sensors import group_sensors, publish_after_failure
from orchestration.settings import (
    MillpondSettings,
    NetSuiteSettings,
    PrecoroSettings,
    SuiteProjectsSettings,
    secret,
)
from resources.netsuite.resource import NetSuiteResource
from resources.precoro.resource import PrecoroResource
from resources.suiteprojects.resource import SuiteProjectsResource
from resources.warehouse import WarehouseResource


@dg.definitions
def definitions() -> dg.Definitions:
    """The code location."""
    settings = MillpondSettings()
    workflows, broken = load_workflows(settings.workflows)
    groups = load_groups(settings.workflows, workflows)
    jobs = group_jobs(groups, workflows, [key.to_user_string() for each in broken for key in _keys(each)])
    names = [job.name for job in jobs]
    own = dg.Definitions(
        assets=[*RAW_ASSETS.values(), *STAGING_ASSETS.values(), analyst_snapshot([each.sync for each in workflows])],
        jobs=jobs,
        schedules=group_schedules(groups, names),
        sensors=[*group_sensors(groups, names), publish_after_failure],
        resources=resources(settings, workflows),
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(own, *map(workflow_definitions, workflows), *broken)


def load_workflows(folder: Path) -> tuple[list[Workflow], list[dg.Definitions]]:
    """The workflows of a folder, and a stand-in for each file that cannot be used."""
    workflows, broken = [], []
    for path in sorted(folder.glob("*/defs.yaml")):
        try:
            workflows.append(load_workflow(path))
        except WorkflowFileError as error:
            broken.append(broken_definitions(path.parent.name, str(error)))
    return workflows, broken


def _keys(of: dg.Definitions) -> list[dg.AssetKey]:
    return [asset.key for asset in of.assets or [] if isinstance(asset, dg.AssetsDefinition)]


def resources(settings: MillpondSettings, workflows: list[Workflow]) -> dict[str, object]:
    """The doors to the outside; in sandbox mode they all lead to the sandbox's folder."""
    netsuite, suiteprojects, precoro = NetSuiteSettings(), SuiteProjectsSettings(), PrecoroSettings()
    return {
        "warehouse": WarehouseResource(folder=str(settings.pond)),
        "extraction": ExtractionSettings(
            custom_columns=_custom_columns(workflows),
            overlap_s=settings.overlap_s,
            vanish_share=settings.vanished_percent / 100,
        ),
        "netsuite": NetSuiteResource(
            **netsuite.model_dump(),
            client_id=secret("NETSUITE_CLIENT_ID"),
            certificate_id=secret("NETSUITE_CERTIFICATE_ID"),
            consumer_key=secret("NETSUITE_CONSUMER_KEY"),
            consumer_secret=secret("NETSUITE_CONSUMER_SECRET"),
            token_id=secret("NETSUITE_TOKEN_ID"),
            token_secret=secret("NETSUITE_TOKEN_SECRET"),
            sandbox=settings.sandbox,
        ),
        "suiteprojects": SuiteProjectsResource(
            **suiteprojects.model_dump(),
            password=secret("SUITEPROJECTS_PASSWORD"),
            key=secret("SUITEPROJECTS_KEY"),
            access_token=secret("SUITEPROJECTS_ACCESS_TOKEN"),
            sandbox=settings.sandbox,
        ),
        "precoro": PrecoroResource(
            **precoro.model_dump(),
            token=secret("PRECORO_TOKEN"),
            budget_file="" if settings.sandbox else str(settings.home.absolute() / "precoro_budget.sqlite"),
            sandbox=settings.sandbox,
        ),
    }


def _custom_columns(workflows: list[Workflow]) -> dict[str, tuple[str, ...]]:
    """Custom fields that some workflow reads, by source: they are added to what is extracted."""
    found: dict[str, set[str]] = {}
    for workflow in workflows:
        for record in workflow.spec.records:
            try:
                columns = source_columns(record, workflow.name)
            except MappingError:
                continue  # the mart says it, with file and field
            found.setdefault(record.source, set()).update(name for name in columns if name.startswith("custentity"))
    return {source: tuple(sorted(names)) for source, names in found.items()}
