"""Whole runs on Celery workers, which fail when their worker is gone.

dagster-celery 0.29 considers a run alive as long as Celery has no result of it, which a lost machine never delivers.
Dagster's run monitoring asks this launcher instead, and closes such a run within about a minute.
"""

from functools import cached_property

import dagster as dg
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from orchestration.dagster_internals import CheckRunHealthResult, WorkerStatus
from orchestration.scale.celery_heartbeat import Heartbeat


class WatchedRunLauncher(CeleryRunLauncher):  # type: ignore[misc]  # dagster-celery has no types
    """dagster-celery's launcher, with the same settings."""

    @cached_property
    def _heartbeat(self) -> Heartbeat:
        return Heartbeat()

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return the health that Celery reports, or FAILED if the worker does not know the run's task."""
        health: CheckRunHealthResult = super().check_run_worker_health(run)
        if health.status != WorkerStatus.RUNNING:
            return health
        why_lost = self._heartbeat.lost(self.celery.AsyncResult(run.tags[DAGSTER_CELERY_TASK_ID_TAG]))
        return CheckRunHealthResult(WorkerStatus.FAILED, why_lost) if why_lost else health
