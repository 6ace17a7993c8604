"""Sensors that start a run for records just saved in NetSuite.

notifications.sqlite  ->  check()        ->  a run of `realtime`, or a reason to skip
                      ->  check_burst()  ->  a full run, for more records than real-time updates are worth

Dagster evaluates its sensors every five seconds. So that a notification need not wait, a tick lasts almost as long: it
ends with the first notification, or just before the next tick.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from assets.delivery.spec.workflow import Workflow
from assets.result_texts import counted
from orchestration.account_partitions import account_scoped, run_tags
from orchestration.automation.groups import ALL, REALTIME
from orchestration.automation.sensors import REASON_TAG, UNFINISHED
from orchestration.configuration.settings import MillpondSettings
from orchestration.realtime.queue import FILE, Notification, NotificationQueue
from orchestration.realtime.sync_pending import by_connection, realtime_workflows
from resources.warehouse.warehouse import Warehouse

POLL_S = 0.2
BURST_INTERVAL_S = 15
BURST_TAG = "millpond/notifications_up_to"  # of a full run: the last notification that it covers
BURST_RUNNING = "a full run covers a burst of change notifications"
RETRY_AFTER_S = 30.0  # a run that died without an error is not restarted at once, over and over
SEARCHED_RUNS = 20  # newest full runs in which one that covers a burst is searched


@dataclass(frozen=True)
class NotificationWatch:
    """One account's change notifications, as its sensors check them.

    Attributes:
        workflows: All workflows; each check reads which ones have real-time updates.
        burst: More pending records than this are left to a full run.
        wait_s: Seconds that one tick waits for a notification.
        account: The account; blank: the only one.
    """

    folder: Path
    workflows: Sequence[Workflow]
    burst: int
    wait_s: float
    account: str = ""

    @property
    def has_queue(self) -> bool:
        """Return whether a notification was ever received."""
        return (self.folder / FILE).exists()

    def check(self, instance: dg.DagsterInstance, warehouse: Warehouse) -> dg.RunRequest | str:
        """Return a request for a real-time run, or the reason for none."""
        due = self._due(warehouse)
        if isinstance(due, str):
            return due
        if instance.get_runs_count(dg.RunsFilter(job_name=REALTIME, statuses=UNFINISHED, tags=run_tags(self.account))):
            return "a real-time run is in progress; later notifications are next"
        full_run = self._burst_run(instance)
        if full_run is not None and not full_run.is_finished:
            return BURST_RUNNING
        if len(due) > self.burst and (full_run is None or full_run.is_success):
            return f"{len(due)} pending records, more than {self.burst}: left to a full run"
        failed_at = self._failed_at(instance)
        if failed_at and 0 <= time.time() - failed_at < RETRY_AFTER_S and max(due.values()) < failed_at:
            return "the last real-time run failed; retried shortly"
        return self._request({REASON_TAG: f"{counted(len(due), 'records')} saved in NetSuite"})

    def check_burst(self, instance: dg.DagsterInstance, warehouse: Warehouse) -> dg.RunRequest | str:
        """Return a request for a full run if there is a burst, or the reason for none.

        Notifications that a successful full run covers are marked as done.
        """
        due = self._due(warehouse)
        if isinstance(due, str):
            return due
        full_run = self._burst_run(instance)
        if full_run is not None and not full_run.is_finished:
            return BURST_RUNNING
        if full_run is not None and full_run.is_success:
            self._mark_covered(warehouse, int(full_run.tags[BURST_TAG]))
            due = self._due(warehouse)
        if isinstance(due, str) or len(due) <= self.burst:
            return "no burst"
        if full_run is not None and not full_run.is_success:
            return f"run {full_run.run_id[:8]} failed on a burst; its records are synced in batches"
        last = max(each.number for pending in self._pending(warehouse).values() for each in pending)
        return self._request({BURST_TAG: str(last), REASON_TAG: f"{counted(len(due), 'records')} saved in NetSuite"})

    def _due(self, warehouse: Warehouse) -> dict[tuple[str, str], float] | str:
        """The time of each pending record's first notification, or the reason why there is none."""
        if not self.has_queue:
            return "no change notification was ever received: start `millpond webhook`"
        pending = self._pending(warehouse)
        if not pending:
            return "no workflow has real-time updates: `millpond activate WORKFLOW --realtime`"
        due = {each.key: each.first_at for notifications in pending.values() for each in notifications}
        return due or "no pending change notification"

    def _pending(self, warehouse: Warehouse) -> dict[str, list[Notification]]:
        return NotificationQueue(self.folder).due(by_connection(realtime_workflows(warehouse, self.workflows)))

    def _mark_covered(self, warehouse: Warehouse, last: int) -> None:
        pending = self._pending(warehouse)
        for connection, notifications in pending.items():
            covered = [each for each in notifications if each.number <= last]
            NotificationQueue(self.folder).mark_done(connection, covered, pending)

    def _request(self, tags: dict[str, str]) -> dg.RunRequest:
        return dg.RunRequest(tags=tags, partition_key=self.account or None)

    def _burst_run(self, instance: dg.DagsterInstance) -> dg.DagsterRun | None:
        """The newest full run that a burst requested."""
        runs = instance.get_runs(dg.RunsFilter(job_name=ALL, tags=run_tags(self.account)), limit=SEARCHED_RUNS)
        return next((run for run in runs if BURST_TAG in run.tags), None)

    def _failed_at(self, instance: dg.DagsterInstance) -> float:
        """The time at which the last real-time run failed; 0 if it did not."""
        records = instance.get_run_records(dg.RunsFilter(job_name=REALTIME, tags=run_tags(self.account)), limit=1)
        return next((each.end_time or 0.0 for each in records if each.dagster_run.is_failure), 0.0)


def notification_sensors(
    settings: MillpondSettings, workflows: Sequence[Workflow], jobs: Collection[str]
) -> list[dg.SensorDefinition]:
    """Return one account's sensors; the one for bursts only if the job of all workflows exists."""
    watch = NotificationWatch(
        settings.account_home, workflows, settings.realtime_burst, settings.realtime_wait_s, settings.account
    )
    warehouse = account_scoped("warehouse", settings.account)

    @dg.sensor(
        name=account_scoped("change_notifications", settings.account),
        job_name=REALTIME,
        required_resource_keys={warehouse},
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a run for records saved in NetSuite, which `millpond webhook` is notified of.",
    )
    def notifications(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        until = time.monotonic() + watch.wait_s
        while True:
            answer = watch.check(context.instance, getattr(context.resources, warehouse))
            if isinstance(answer, dg.RunRequest):
                return answer
            if time.monotonic() + POLL_S > until or not watch.has_queue:
                return dg.SkipReason(answer)
            time.sleep(POLL_S)

    @dg.sensor(
        name=account_scoped("change_notifications_burst", settings.account),
        job_name=ALL,
        required_resource_keys={warehouse},
        minimum_interval_seconds=BURST_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a full run after a burst of change notifications, as from an import of records.",
    )
    def burst(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        answer = watch.check_burst(context.instance, getattr(context.resources, warehouse))
        return answer if isinstance(answer, dg.RunRequest) else dg.SkipReason(answer)

    return [notifications, burst] if ALL in jobs else [notifications]
