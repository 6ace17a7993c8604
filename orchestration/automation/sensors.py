"""Sensors: run a group when NetSuite changed, and publish a snapshot even when a run failed.

change sensor  ->  a few cheap queries to NetSuite  ->  a run, only if something changed since the last one

The cursor holds what the last requested run knew: per table, how many rows had changed and when the last one did. The
same change requests no second run, so a failing run is not repeated every few minutes: an operator fixes the cause and
starts the job, or the next change does. There is no `run_key`, because Dagster would ignore the same key forever, even
after the warehouse was recreated.
"""

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import dagster as dg

from assets.netsuite.change_probe import Change, changed_since
from orchestration.account_partitions import account_of, account_scoped, run_tags
from orchestration.automation.groups import Group
from orchestration.configuration.settings import MillpondSettings
from orchestration.ledger_sealing import publish_sealed
from orchestration.opened_warehouse import warehouse_of
from resources.errors import IntegrationError
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.warehouse import Warehouse

REASON_TAG = "millpond/reason"  # of a run: the event that requested it
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# for an empty warehouse, without a query to NetSuite
NOTHING_READ = {"everything (nothing was read yet)": Change(0, "")}

Changes = Mapping[str, Change]  # by NetSuite table


def group_sensors(
    groups: Mapping[str, Group], jobs: Collection[str], settings: MillpondSettings
) -> list[dg.SensorDefinition]:
    """Return the change sensors of groups.yaml, one per group and account."""
    return [
        _change_sensor(name, group, each.account)
        for name, group in groups.items()
        if group.sensor and name in jobs
        for each in settings.per_account
    ]


def _change_sensor(name: str, group: Group, account: str) -> dg.SensorDefinition:
    assert group.sensor is not None
    warehouse, netsuite = account_scoped("warehouse", account), account_scoped("netsuite", account)

    @dg.sensor(
        name=account_scoped(f"{name}_changes", account),
        job_name=name,
        required_resource_keys={warehouse, netsuite},
        minimum_interval_seconds=group.sensor.every_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if group.sensor.on else dg.DefaultSensorStatus.STOPPED,
        description=f"Runs {name} when customers, projects or contacts changed in NetSuite.",
    )
    def changes(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        client: NetSuiteClient = getattr(context.resources, netsuite)
        if context.instance.get_runs_count(dg.RunsFilter(job_name=name, statuses=UNFINISHED, tags=run_tags(account))):
            return dg.SkipReason(f"a run of {name} is still in progress")
        since = last_watermark(getattr(context.resources, warehouse))
        try:
            found = changed_since(client, since) if since else NOTHING_READ
        except IntegrationError as error:
            return dg.SkipReason(f"NetSuite cannot be checked for changes: {error}")
        new = _new_changes(found, _parse_cursor(context.cursor))
        if not new:
            reason = f"no change in NetSuite since {since:%Y-%m-%d %H:%M:%S} UTC" if since else "a run was requested"
            return dg.SkipReason(reason + _last_failure(context.instance, name, account))
        tags = {REASON_TAG: f"changed in NetSuite: {', '.join(new)}"}
        request = dg.RunRequest(tags=tags, partition_key=account or None)
        return dg.SensorResult(run_requests=[request], cursor=json.dumps(found))

    return changes


def _parse_cursor(cursor: str | None) -> Changes:
    """The changes that the cursor holds; empty for a cursor that someone edited."""
    try:
        content = json.loads(cursor or "{}")
        return {table: Change(int(rows), str(latest)) for table, (rows, latest) in content.items()}
    except (AttributeError, TypeError, ValueError):
        return {}


def _new_changes(found: Changes, known: Changes) -> list[str]:
    """Tables with changes that the cursor does not have; fewer rows are known changes after a later watermark."""
    return [
        table
        for table, (rows, latest) in found.items()
        if table not in known or latest != known[table].latest or rows > known[table].rows
    ]


def _last_failure(instance: dg.DagsterInstance, name: str, account: str) -> str:
    """A hint for the skip reason when the last run failed."""
    runs = instance.get_runs(filters=dg.RunsFilter(job_name=name, tags=run_tags(account)), limit=1)
    if not runs or runs[0].status is not dg.DagsterRunStatus.FAILURE:
        return ""
    return f"; run {runs[0].run_id[:8]} failed: fix the cause and start {name}, or the next change starts it"


def last_watermark(warehouse: Warehouse) -> datetime | None:
    """Return the oldest watermark of the watched tables, UTC; None if one was never read."""
    if not warehouse.has("sync_watermarks"):
        return None
    marks = warehouse.read(
        "select count(*) as n, min(watermark_at) as since from sync_watermarks"
        " where source_table in ('customer', 'job', 'contact')"
    ).to_dicts()[0]
    return marks["since"].replace(tzinfo=UTC) if marks["n"] and marks["since"] else None


def publish_after_failure(settings: MillpondSettings) -> dg.SensorDefinition:
    """Return the sensor that publishes the analysts' snapshot after a failed run, whose ledger entries it includes."""

    @dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING, name="publish_after_failure")
    def publish(context: dg.RunFailureSensorContext) -> None:
        warehouse = warehouse_of(account_of(context.dagster_run, settings))
        if warehouse.exists():
            size = publish_sealed(warehouse)
            context.log.info("published %d bytes after the failed run", size)

    return publish
