"""The code location: everything that Dagster loads.

workflow files  ->  assets; groups.yaml  ->  jobs, schedules, sensors; settings  ->  resources
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from itertools import chain

import dagster as dg

from assets.delivery.component.component import broken_asset, broken_asset_name, workflow_assets
from assets.delivery.spec.workflow import Workflow
from assets.warehouse.snapshot import analyst_snapshot
from assets.warehouse.source_tables import HISTORY_TABLES, source_check, source_tables
from orchestration.account_partitions import account_of, partitioned, resources_per_run
from orchestration.alerts.digest_job import digest_job
from orchestration.alerts.sensor import alert_sensor
from orchestration.automation.jobs import GROUPS_ASSET, group_jobs, import_tables
from orchestration.automation.schedules import schedules
from orchestration.automation.sensors import group_sensors, publish_after_failure
from orchestration.backup.home_use import use_home
from orchestration.backup.restore import complete_interrupted
from orchestration.configuration.private_files import make_private
from orchestration.configuration.secret_check import check_secrets
from orchestration.configuration.settings import MillpondSettings
from orchestration.dagster_internals import UnresolvedAssetJobDefinition
from orchestration.home_check import check_home
from orchestration.ledger_sealing import seal_ledger
from orchestration.maintenance.dead_runs import dead_runs
from orchestration.maintenance.job import maintenance_job
from orchestration.operator_jobs.activation import activation_jobs
from orchestration.operator_jobs.apply_plan import plan_jobs
from orchestration.operator_jobs.certify import certified_checks
from orchestration.operator_jobs.forget_record import forget_job
from orchestration.operator_jobs.ignore_records import ignore_job
from orchestration.operator_jobs.link_record import link_jobs
from orchestration.operator_jobs.reconcile import reconcile_jobs, reconciled_checks
from orchestration.operator_jobs.resend_record import resend_job
from orchestration.operator_jobs.undo_run import undo_job
from orchestration.realtime.job import realtime_job
from orchestration.realtime.sensor import notification_sensors
from orchestration.redaction import install
from orchestration.renaming.perform import complete_rename
from orchestration.resource_wiring import resources
from orchestration.run_report import causes_now
from orchestration.scale.executors import executor_of
from orchestration.upgrade.ensure import ensure_current
from orchestration.workflow_files import UserFiles, load_user_files, runnable_workflows


@dg.definitions
def definitions() -> dg.Definitions:
    """Return the code location, after an upgrade of files that an earlier version made."""
    install()
    check_secrets()
    settings, report = MillpondSettings(), logging.getLogger("dagster").info
    check_home(settings)
    use_home(settings.home.absolute())
    complete_interrupted(settings, report)
    complete_rename(settings, report)
    ensure_current(report)
    settings = MillpondSettings()
    make_private(settings)
    files = load_user_files(settings.workflows)
    workflows, runnable = files.workflows, runnable_workflows(files.workflows, settings)
    included = [each for each in workflows if each.name in runnable]
    jobs = _jobs(files, included, settings)
    names = {job.name for job in jobs}
    return dg.Definitions(
        assets=partitioned(_assets(files, runnable, settings), settings),
        asset_checks=[source_check(), *reconciled_checks(included), *certified_checks(included)],
        jobs=jobs,
        schedules=schedules(files.groups, names, settings),
        sensors=_sensors(files, names, settings),
        resources=resources_per_run(
            {each.account: resources(each, workflows) for each in settings.per_account}, settings
        ),
        executor=executor_of(settings),
    )


def _jobs(
    files: UserFiles, included: Sequence[Workflow], settings: MillpondSettings
) -> list[dg.JobDefinition | UnresolvedAssetJobDefinition]:
    return [
        *group_jobs(
            files.groups.groups,
            included,
            {name: broken_asset_name(name) for name in files.broken},
            [GROUPS_ASSET] if files.groups.problems else [],
        ),
        *reconcile_jobs(included),
        maintenance_job(settings),
        digest_job(files.workflows, settings),
        *plan_jobs(files.workflows, settings),
        undo_job(files.workflows, settings),
        *link_jobs(files.workflows, settings),
        resend_job(files.workflows, settings),
        ignore_job(files.workflows, settings),
        forget_job(files.workflows, settings),
        *activation_jobs(files.workflows, settings),
        realtime_job(files.workflows, settings),
    ]


def _sensors(files: UserFiles, jobs: Collection[str], settings: MillpondSettings) -> list[dg.SensorDefinition]:
    freshness = files.groups.freshness_hours
    of_accounts = [
        [alert_sensor(each, files.workflows, freshness), *notification_sensors(each, files.workflows, jobs)]
        for each in settings.per_account
    ]
    return [
        *group_sensors(files.groups.groups, jobs, settings),
        *chain.from_iterable(of_accounts),
        dead_runs,
        publish_after_failure(settings),
    ]


def _assets(files: UserFiles, runnable: Collection[str], settings: MillpondSettings) -> Iterator[dg.AssetsDefinition]:
    """Tables of NetSuite's records, the workflows' assets, and an asset for each file that cannot be used."""
    yield source_tables(sorted({each for workflow in files.workflows for each in workflow.spec.on_demand_sources}))
    synced = [name for each in files.workflows for name in (each.sync, *import_tables(each))]
    yield analyst_snapshot(
        [*HISTORY_TABLES, *synced],
        lambda warehouse, run: causes_now(warehouse, files.workflows, account_of(run, settings)),
        seal_ledger,
    )
    for workflow in files.workflows:
        assets = workflow_assets(workflow, runnable=workflow.name in runnable)
        hours = files.groups.freshness_hours.get(workflow.name) if workflow.name in runnable else None
        yield from _with_freshness(assets, workflow, hours) if hours else assets
    problems = {broken_asset_name(name): text for name, text in files.broken.items()}
    if files.groups.problems:
        problems[GROUPS_ASSET] = "\n".join(files.groups.problems)
    yield from (broken_asset(name, text) for name, text in problems.items())


def _with_freshness(assets: list[dg.AssetsDefinition], workflow: Workflow, hours: float) -> list[dg.AssetsDefinition]:
    """Let Dagster report a workflow's assets as stale after some hours, with a warning at three quarters of them."""
    window = timedelta(hours=hours)
    policy = dg.FreshnessPolicy.time_window(fail_window=window, warn_window=window * 0.75)
    keys = {dg.AssetKey(name) for name in (workflow.mart, workflow.plan, workflow.sync)}

    def add_policy(spec: dg.AssetSpec) -> dg.AssetSpec:
        return dg.apply_freshness_policy(spec, policy) if spec.key in keys else spec

    return [each.map_asset_specs(add_policy) for each in assets]
