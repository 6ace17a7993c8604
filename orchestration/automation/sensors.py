"""Runs by what happens: NetSuite changed; and a snapshot for analysts even when a run failed.

change sensor  ->  a few cheap questions to NetSuite  ->  a run, only when something changed since the last one

The cursor is the last look that a run was asked for: per table, how many rows changed and when the last one did. What
that look saw already asks for no second run, so a run that fails is not started again and again every few minutes:
a person mends it and starts the job by hand, or the next change in NetSuite starts it. There is no `run_key`: Dagster
would refuse the same look for ever, also after the warehouse was made anew.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import dagster as dg

from assets.netsuite.change_probe import Change, changed_since
from orchestration.account_partitions import account_of, own, tags_of
from orchestration.automation.jobs import Group
from orchestration.settings import MillpondSettings
from orchestration.warehouse_access import warehouse_of
from resources.errors import IntegrationError
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.warehouse import Warehouse

BUSY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# the look at an empty warehouse: no question to NetSuite is needed
EVERYTHING = {"everything (nothing was read yet)": Change(0, "")}

Look = Mapping[str, Change]


def group_sensors(
    groups: dict[str, Group], jobs: Iterable[str], settings: MillpondSettings
) -> list[dg.SensorDefinition]:
    """The change sensors of groups.yaml, one for each account; `on` says whether they start switched on."""
    there = set(jobs)
    return [
        _change_sensor(name, group, each.account)
        for name, group in groups.items()
        if group.sensor and name in there
        for each in settings.each
    ]


def _change_sensor(name: str, group: Group, account: str) -> dg.SensorDefinition:
    assert group.sensor is not None
    status = dg.DefaultSensorStatus.RUNNING if group.sensor.on else dg.DefaultSensorStatus.STOPPED

    warehouse, connection = own("warehouse", account), own("netsuite", account)

    @dg.sensor(
        name=own(f"{name}_changes", account),
        job_name=name,
        required_resource_keys={warehouse, connection},
        minimum_interval_seconds=group.sensor.every_s,
        default_status=status,
        description=f"Asks NetSuite whether customers, projects or contacts changed, and runs {name} only then.",
    )
    def changes(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        netsuite: NetSuiteClient = getattr(context.resources, connection)
        if context.instance.get_runs_count(dg.RunsFilter(job_name=name, statuses=BUSY, tags=tags_of(account))):
            return dg.SkipReason(f"a run of {name} is still under way")
        since = last_watermark(getattr(context.resources, warehouse))
        try:
            look = changed_since(netsuite, since) if since else EVERYTHING
        except IntegrationError as error:
            return dg.SkipReason(f"NetSuite does not say whether anything changed: {error}")
        fresh = _fresh(look, _seen(context.cursor))
        if not fresh:
            asked = f"nothing new in NetSuite since {since:%Y-%m-%d %H:%M:%S} UTC" if since else "a run was asked for"
            return dg.SkipReason(asked + _last_failure(context.instance, name, account))
        because = {"millpond/because": f"changed in NetSuite: {', '.join(fresh)}"}
        request = dg.RunRequest(tags=because, partition_key=account or None)
        return dg.SensorResult(run_requests=[request], cursor=json.dumps(look))

    return changes


def _seen(cursor: str | None) -> Look:
    """The look that the cursor keeps; empty when there is none or somebody typed another text into it."""
    try:
        kept = json.loads(cursor or "{}")
        return {table: Change(int(rows), str(latest)) for table, (rows, latest) in kept.items()}
    except (AttributeError, TypeError, ValueError):
        return {}


def _fresh(look: Look, seen: Look) -> list[str]:
    """Tables that changed beyond what was seen; fewer rows are the same ones from a later moment on."""
    return [
        table
        for table, (rows, latest) in look.items()
        if table not in seen or latest != seen[table].latest or rows > seen[table].rows
    ]


def _last_failure(instance: dg.DagsterInstance, name: str, account: str) -> str:
    """What to add when there is nothing to ask for, but the last run did not get through."""
    of_it = dg.RunsFilter(job_name=name, tags=tags_of(account))
    last = next(iter(instance.get_runs(filters=of_it, limit=1)), None)
    if last is None or last.status is not dg.DagsterRunStatus.FAILURE:
        return ""
    return f"; but run {last.run_id[:8]} failed: look at it and start {name} by hand, or the next change will"


def last_watermark(warehouse: Warehouse) -> datetime | None:
    """The oldest watermark of the watched tables, UTC; None when one was never read."""
    if not warehouse.has("sync_watermarks"):
        return None
    marks = warehouse.read(
        "select count(*) as n, min(watermark_at) as since from sync_watermarks"
        " where source_table in ('customer', 'job', 'contact')"
    ).to_dicts()[0]
    return marks["since"].replace(tzinfo=UTC) if marks["n"] and marks["since"] else None


def publish_after_failure(settings: MillpondSettings) -> dg.SensorDefinition:
    """What a failed run did is in the ledger; analysts shall see that too."""

    @dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING, name="publish_after_failure")
    def publish(context: dg.RunFailureSensorContext) -> None:
        of_run = account_of(context.dagster_run, settings)
        warehouse = warehouse_of(of_run, personal=of_run.personal)
        if warehouse.exists():
            size = warehouse.publish()
            context.log.info("published %d bytes after the failed run", size)

    return publish
