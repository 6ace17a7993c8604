"""Runs by what happens: NetSuite changed; and a snapshot for analysts even when a run failed.

change sensor  ->  a few cheap questions to NetSuite  ->  a run, only when something changed since the last one
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime

import dagster as dg

from assets.netsuite.changes import changed_since
from orchestration.jobs import Group
from resources.errors import IntegrationError
from resources.netsuite.client import NetSuiteClient
from resources.warehouse import Warehouse

BUSY = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def group_sensors(groups: dict[str, Group], jobs: Iterable[str]) -> list[dg.SensorDefinition]:
    """The change sensors of groups.yaml; `on` says whether they start switched on."""
    there = set(jobs)
    return [_change_sensor(name, group) for name, group in groups.items() if group.sensor and name in there]


def _change_sensor(name: str, group: Group) -> dg.SensorDefinition:
    assert group.sensor is not None
    status = dg.DefaultSensorStatus.RUNNING if group.sensor.on else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        name=f"{name}_changes",
        job_name=name,
        minimum_interval_seconds=group.sensor.every_s,
        default_status=status,
        description=f"Asks NetSuite whether customers, projects or contacts changed, and runs {name} only then.",
    )
    def changes(
        context: dg.SensorEvaluationContext,
        warehouse: dg.ResourceParam[Warehouse],
        netsuite: dg.ResourceParam[NetSuiteClient],
    ) -> dg.SensorResult | dg.SkipReason:
        busy = context.instance.get_runs_count(dg.RunsFilter(job_name=name, statuses=BUSY))
        if busy:
            return dg.SkipReason(f"{busy} run of {name} is still under way")
        since = last_watermark(warehouse)
        if since is None:
            return _request("first read: nothing has been read yet", str(context.cursor))
        try:
            changed = changed_since(netsuite, since)
        except IntegrationError as error:
            return dg.SkipReason(f"NetSuite was not asked: {error}")
        if not changed:
            return dg.SkipReason(f"nothing changed in NetSuite since {since:%Y-%m-%d %H:%M:%S} UTC")
        # one request per state that was seen: the same look a second time asks for no second run
        return _request(", ".join(changed), json.dumps({"since": since.isoformat(), "changed": changed}))

    return changes


def _request(why: str, cursor: str) -> dg.SensorResult:
    request = dg.RunRequest(tags={"millpond/because": why[:200]})
    return dg.SensorResult(run_requests=[request], cursor=cursor)


def last_watermark(warehouse: Warehouse) -> datetime | None:
    """The oldest watermark of the watched tables, UTC; None when one was never read."""
    if not warehouse.has("sync_watermarks"):
        return None
    marks = warehouse.read(
        "select count(*) as n, min(watermark_at) as since from sync_watermarks"
        " where source_table in ('customer', 'job', 'contact')"
    ).to_dicts()[0]
    return marks["since"].replace(tzinfo=UTC) if marks["n"] and marks["since"] else None


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING, name="publish_after_failure")
def publish_after_failure(context: dg.RunFailureSensorContext, warehouse: dg.ResourceParam[Warehouse]) -> None:
    """What a failed run did is in the ledger; analysts shall see that too."""
    if warehouse.stage.exists():
        size = warehouse.publish()
        context.log.info("published %d bytes after the failed run", size)
