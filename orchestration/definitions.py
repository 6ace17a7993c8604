"""Everything that Dagster loads, on one screen.

workflow files  ->  assets; groups.yaml  ->  jobs, schedules, sensors; settings  ->  resources
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg

from assets.delivery.component.component import broken_asset, broken_definitions, load_workflow, workflow_definitions
from assets.delivery.plan.planner import Workflow
from assets.delivery.spec.dependencies import unmet_needs
from assets.delivery.spec.expressions import STAGED, MappingError, custom_fields, on_demand
from assets.delivery.spec.loader import WorkflowFileError
from assets.delivery.spec.switches import Switches
from assets.netsuite.assets import RAW_ASSETS, raw_asset
from assets.netsuite.extract.extract import ExtractionSettings
from assets.warehouse.history import HISTORY_ASSETS
from assets.warehouse.snapshot import analyst_snapshot
from assets.warehouse.staging import STAGING_ASSETS, sql_table
from orchestration.account_partitions import for_runs, partitioned
from orchestration.alerts.sensor import alert_sensor
from orchestration.automation.jobs import (
    GROUPS_ASSET,
    RECONCILE,
    fresh_hours,
    group_jobs,
    load_groups,
    load_nightly,
    shown_beside,
)
from orchestration.automation.schedules import group_schedules, own_schedules
from orchestration.automation.sensors import group_sensors, publish_after_failure
from orchestration.cli.activation import switch_job
from orchestration.maintenance.dead_runs import dead_runs
from orchestration.maintenance.job import tidy_job
from orchestration.maintenance.retention import Keep
from orchestration.operator_jobs.apply_plan import release_job
from orchestration.operator_jobs.reconcile import reconcile_job, reconciled_checks
from orchestration.realtime.job import realtime_job
from orchestration.realtime.sensor import Watch, notification_sensors
from orchestration.scale.executors import executor_of
from orchestration.settings import (
    MillpondSettings,
    netsuite_settings,
    precoro_settings,
    secret,
    suiteprojects_connection,
)
from orchestration.warehouse_access import budget_of
from resources.netsuite.resource import NetSuiteResource
from resources.precoro.resource import PrecoroResource
from resources.suiteprojects.resource import SuiteProjectsResource
from resources.warehouse.resource import WarehouseResource


@dg.definitions
def definitions() -> dg.Definitions:
    """The code location."""
    settings = MillpondSettings()
    workflows, broken = load_workflows(settings.workflows)
    groups, wrong = load_groups(settings.workflows, [*(each.name for each in workflows), *broken])
    stand_ins = {name: broken_asset(name) for name in broken}
    problems = {stand_ins[name]: text for name, text in broken.items()}
    if wrong:
        problems[GROUPS_ASSET] = "\n".join(wrong)
    also = [GROUPS_ASSET] if wrong else []
    switched = {name for account in settings.each for name in Switches(account.warehouse).said()}
    jobs = group_jobs(groups, workflows, stand_ins, also, switched)
    names, fresh_h = [job.name for job in jobs], fresh_hours(groups)
    nightly = reconcile_job(workflows)
    tidy = tidy_job(Keep(settings.keep_runs_days, settings.keep_plans_days, settings.keep_reports_days), settings)
    timings = load_nightly(settings.workflows)
    if nightly is None:
        timings.pop(RECONCILE, None)
    watches = [
        Watch(each.own, workflows, settings.realtime_burst, settings.realtime_wait_s, each.account)
        for each in settings.each
    ]
    assets = [
        *RAW_ASSETS.values(),
        *STAGING_ASSETS.values(),
        *_on_demand_assets(workflows),
        *HISTORY_ASSETS.values(),
        analyst_snapshot([*HISTORY_ASSETS, *_published(workflows)]),
        *(asset for each in workflows for asset in _dated(each, fresh_h.get(each.name))),
        *(asset for name, text in problems.items() for asset in _assets_of(broken_definitions(name, text))),
    ]
    return dg.Definitions(
        assets=partitioned(assets, settings),
        asset_checks=reconciled_checks(workflows),
        jobs=[
            *jobs,
            *([nightly] if nightly else []),
            tidy,
            release_job(workflows, settings),
            switch_job(workflows, settings),
            realtime_job(workflows, settings),
        ],
        schedules=[*group_schedules(groups, names, settings), *own_schedules(timings, settings)],
        sensors=[
            *group_sensors(groups, names, settings),
            *(alert_sensor(each, workflows, fresh_h) for each in settings.each),
            dead_runs,
            publish_after_failure(settings),
            *(sensor for watch in watches for sensor in notification_sensors(watch, names)),
        ],
        resources=for_runs({each.account: resources(each, workflows) for each in settings.each}, settings),
        executor=executor_of(settings),
    )


def _assets_of(made: dg.Definitions) -> list[dg.AssetsDefinition]:
    return [each for each in made.assets or () if isinstance(each, dg.AssetsDefinition)]


def _dated(workflow: Workflow, fresh_h: float | None) -> list[dg.AssetsDefinition]:
    """Its assets, with the hours after which Dagster calls them too old; it warns at three quarters of them."""
    made = _assets_of(workflow_definitions(workflow))
    if not fresh_h:
        return made
    window = timedelta(hours=fresh_h)
    policy = dg.FreshnessPolicy.time_window(fail_window=window, warn_window=window * 0.75)
    aging = {dg.AssetKey(name) for name in (workflow.mart, workflow.plan, workflow.sync)}

    def dated(spec: dg.AssetSpec) -> dg.AssetSpec:
        return dg.apply_freshness_policy(spec, policy) if spec.key in aging else spec

    return [each.map_asset_specs(dated) for each in made]


def _on_demand_assets(workflows: list[Workflow]) -> Iterator[dg.AssetsDefinition]:
    """The tables of what some workflow reads and nobody else."""
    for name in sorted({each for workflow in workflows for each in on_demand(workflow.spec)}):
        yield from (raw_asset(name), sql_table(STAGED + name))


def _published(workflows: list[Workflow]) -> list[str]:
    """The assets that a snapshot waits for."""
    return [name for each in workflows for name in (each.sync, *shown_beside(each))]


def load_workflows(folder: Path) -> tuple[list[Workflow], dict[str, str]]:
    """The workflows of a folder, and what is wrong with the files that cannot be used, by name."""
    workflows, broken = [], {}
    for path in sorted(folder.glob("*/defs.yaml")):
        try:
            workflows.append(load_workflow(path))
        except WorkflowFileError as error:
            broken[path.parent.name] = str(error)
    unmet = unmet_needs(workflows, folder)
    return [each for each in workflows if each.name not in unmet], {**broken, **unmet}


def resources(settings: MillpondSettings, workflows: list[Workflow]) -> dict[str, object]:
    """One account's connections to the outside; in sandbox mode they all lead to the sandbox's folder."""
    netsuite = netsuite_settings(settings.account)

    def key(name: str) -> str:
        """The sandbox has keys of its own; those of the real accounts stay out of it."""
        return "" if settings.sandbox else secret(name, settings.account)

    return {
        "warehouse": WarehouseResource(
            folder=str(settings.warehouse),
            seal_key=secret("MILLPOND_SEAL_KEY"),
            personal=settings.personal,
            catalog=settings.warehouse_catalog,
            data=settings.lake_data,
            catalog_schema=settings.lake_schema,
            endpoint=settings.warehouse_s3_endpoint,
            region=settings.warehouse_s3_region,
            s3_key=secret("MILLPOND_WAREHOUSE_S3_KEY"),
            s3_secret=secret("MILLPOND_WAREHOUSE_S3_SECRET"),
        ),
        "extraction": ExtractionSettings(
            custom_columns=_custom_columns(workflows),
            overlap_s=settings.overlap_s,
            vanish_share=settings.vanished_percent / 100,
            optional_tables=settings.optional,
        ),
        "netsuite": NetSuiteResource(
            **netsuite.model_dump(),
            client_id=key("NETSUITE_CLIENT_ID"),
            certificate_id=key("NETSUITE_CERTIFICATE_ID"),
            consumer_key=key("NETSUITE_CONSUMER_KEY"),
            consumer_secret=key("NETSUITE_CONSUMER_SECRET"),
            token_id=key("NETSUITE_TOKEN_ID"),
            token_secret=key("NETSUITE_TOKEN_SECRET"),
            attempts=settings.attempts,
            sandbox=settings.sandbox,
        ),
        "suiteprojects": SuiteProjectsResource(
            **suiteprojects_connection(settings),
            password=key("SUITEPROJECTS_PASSWORD"),
            key=key("SUITEPROJECTS_KEY"),
            access_token=key("SUITEPROJECTS_ACCESS_TOKEN"),
            client_secret=key("SUITEPROJECTS_CLIENT_SECRET"),
            seal_key=secret("MILLPOND_SEAL_KEY"),
        ),
        "precoro": precoro_resource(settings),
        **{
            each.spec.connection_name: precoro_resource(settings, each.spec.connection)
            for each in workflows
            if on_precoro(each)
        },
    }


def on_precoro(workflow: Workflow) -> bool:
    """Whether a workflow writes to Precoro."""
    return workflow.spec.system == "precoro"


def precoro_resource(settings: MillpondSettings, connection: str = "") -> PrecoroResource:
    """One company of Precoro: the usual one, or the one that a workflow names in `connection`."""
    told = precoro_settings(connection, settings.account).model_dump(
        exclude={"email", "base_url"} if settings.sandbox else None
    )
    return PrecoroResource(
        **told,
        connection=connection,
        token="" if settings.sandbox else secret("PRECORO_TOKEN", settings.account, connection),
        budget_file=budget_of(settings),
        attempts=settings.attempts,
        sandbox=settings.sandbox,
    )


def _custom_columns(workflows: list[Workflow]) -> dict[str, tuple[str, ...]]:
    """Custom fields that some workflow reads, by source: they are added to what is extracted."""
    found: dict[str, set[str]] = {}
    for workflow in workflows:
        try:
            read = custom_fields(workflow.spec, workflow.name)
        except MappingError:
            continue  # the mart says it, with file and field
        for source, names in read.items():
            found.setdefault(source, set()).update(names)
    return {source: tuple(sorted(names)) for source, names in found.items()}
