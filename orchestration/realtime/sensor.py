"""Starts a run for records that were just saved in NetSuite.

notifications.sqlite  ->  look()  ->  a run of `realtime`, or why there is none
              ->  look_at_burst()  ->  a run of `all` for more records than are worth looking at one by one

Dagster looks at its sensors every five seconds. A change notification shall not wait for that, so one look lasts nearly as long as
that takes: it ends with the first change notification, or just before the next look begins.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from assets.delivery.plan.planner import Workflow
from orchestration.account_partitions import own, tags_of
from orchestration.automation.jobs import ALL
from orchestration.automation.sensors import BUSY
from orchestration.realtime.job import REALTIME, by_account, listening_notifications
from orchestration.realtime.queue import FILE, Notification, NotificationQueue
from resources.warehouse.warehouse import Warehouse

POLL_S = 0.2
BURST_EVERY_S = 15
BURST_TAG = "millpond/hints_up_to"  # of a run of all: the last change notification that it answers
# a run that died without a word is not started again at once, and again and again
AFTER_FAILURE_S = 30.0
LOOKED_AT = 20  # of the newest runs, to find one that answers a burst


@dataclass(frozen=True)
class Watch:
    """What the sensors need to know.

    Attributes:
        folder: Where the change notifications are.
        workflows: All of them; which ones follow change notifications is asked at every look.
        burst: When more records wait than this, they are left to a run of all.
        wait_s: How long one look waits for a change notification.
        account: Whose change notifications they are; blank: there is but one.
    """

    folder: Path
    workflows: Sequence[Workflow]
    burst: int
    wait_s: float
    account: str = ""

    def look(self, instance: dg.DagsterInstance, warehouse: Warehouse) -> dg.RunRequest | str:
        """Whether saved records are brought now, and if not, why not."""
        due = self._due(warehouse)
        if isinstance(due, str):
            return due
        if instance.get_runs_count(dg.RunsFilter(job_name=REALTIME, statuses=BUSY, tags=tags_of(self.account))):
            return "a run brings records just now; what comes meanwhile is next"
        whole = self._answering(instance)
        if whole is not None and not whole.is_finished:
            return "a run of all answers a burst of change notifications"
        if len(due) > self.burst and (whole is None or whole.is_success):
            return f"{len(due)} records wait, more than {self.burst}: a run of all takes them"
        failed_at = self._failed_at(instance)
        if failed_at and time.time() - failed_at < AFTER_FAILURE_S and max(due.values()) < failed_at:
            return "the last run failed; again in a moment"
        return self._request({"millpond/because": f"{len(due)} records saved in NetSuite"})

    def look_at_burst(self, instance: dg.DagsterInstance, warehouse: Warehouse) -> dg.RunRequest | str:
        """Whether so many records wait that a run of all takes them; closes the change notifications that one has taken."""
        due = self._due(warehouse)
        if isinstance(due, str):
            return due
        whole = self._answering(instance)
        if whole is not None and not whole.is_finished:
            return "a run of all answers a burst of change notifications"
        if whole is not None and whole.is_success:
            self._close(warehouse, int(whole.tags[BURST_TAG]))
            due = self._due(warehouse)
        if isinstance(due, str) or len(due) <= self.burst:
            return "no burst"
        if whole is not None and not whole.is_success:
            # those that can be brought are, in portions
            return f"run {whole.run_id[:8]} failed on a burst; its records are brought in portions"
        numbers = [notification.number for waiting in self._waiting(warehouse).values() for notification in waiting]
        tags = {BURST_TAG: str(max(numbers)), "millpond/because": f"{len(due)} records saved in NetSuite"}
        return self._request(tags)

    def _due(self, warehouse: Warehouse) -> dict[tuple[str, str], float] | str:
        """The records that wait, with the time of the first change notification of each; or why none does."""
        if not (self.folder / FILE).exists():
            return "no change notification was ever kept: start `millpond webhook`"
        waiting = self._waiting(warehouse)
        if not waiting:
            return "no workflow follows change notifications: `millpond activate WORKFLOW --realtime`"
        due = {
            notification.key: notification.first_at
            for notifications in waiting.values()
            for notification in notifications
        }
        return due or "no change notification waits"

    def _waiting(self, warehouse: Warehouse) -> dict[str, list[Notification]]:
        return NotificationQueue(self.folder).due(by_account(listening_notifications(warehouse, self.workflows)))

    def _close(self, warehouse: Warehouse, answered: int) -> None:
        waiting = self._waiting(warehouse)
        for connection, notifications in waiting.items():
            NotificationQueue(self.folder).done(
                connection, [notification for notification in notifications if notification.number <= answered], waiting
            )

    def _request(self, tags: dict[str, str]) -> dg.RunRequest:
        return dg.RunRequest(tags=tags, partition_key=self.account or None)

    def _answering(self, instance: dg.DagsterInstance) -> dg.DagsterRun | None:
        """The newest run of all that a burst asked for."""
        runs = instance.get_runs(dg.RunsFilter(job_name=ALL, tags=tags_of(self.account)), limit=LOOKED_AT)
        return next((run for run in runs if BURST_TAG in run.tags), None)

    def _failed_at(self, instance: dg.DagsterInstance) -> float:
        """When the last run failed; 0 when it did not."""
        records = instance.get_run_records(dg.RunsFilter(job_name=REALTIME, tags=tags_of(self.account)), limit=1)
        return next((each.end_time or 0.0 for each in records if each.dagster_run.is_failure), 0.0)


def notification_sensors(watch: Watch, jobs: Sequence[str]) -> list[dg.SensorDefinition]:
    """The sensors of one account; a run of all is only asked for where there is that job."""
    warehouse = own("warehouse", watch.account)

    @dg.sensor(
        name=own("change_notifications", watch.account),
        job_name=REALTIME,
        required_resource_keys={warehouse},
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a run for records that NetSuite said were saved; `millpond webhook` takes what it says.",
    )
    def notifications(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        until = time.monotonic() + watch.wait_s
        while True:
            answer = watch.look(context.instance, getattr(context.resources, warehouse))
            if isinstance(answer, dg.RunRequest):
                return answer
            if time.monotonic() + POLL_S > until or not (watch.folder / FILE).exists():
                return dg.SkipReason(answer)
            time.sleep(POLL_S)

    @dg.sensor(
        name=own("change_notifications_burst", watch.account),
        job_name=ALL,
        required_resource_keys={warehouse},
        minimum_interval_seconds=BURST_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="After a burst of saves, as by an import of records, a run of all takes what would be many change notifications.",
    )
    def notifications_burst(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        answer = watch.look_at_burst(context.instance, getattr(context.resources, warehouse))
        return answer if isinstance(answer, dg.RunRequest) else dg.SkipReason(answer)

    return [notifications, notifications_burst] if ALL in jobs else [notifications]
