"""Whole runs done by Celery's workers, and ended when their worker is gone.

dagster-celery 0.29 takes a run for alive as long as Celery has no result of it, which a machine that vanished never
brings. Dagster's monitoring asks this launcher instead, and closes such a run within about a minute.
"""

from functools import cached_property

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from orchestration.scale.celery_heartbeat import Presence


class WatchedRunLauncher(CeleryRunLauncher):  # type: ignore[misc]  # dagster-celery has no types
    """dagster-celery's launcher, with the same settings."""

    @cached_property
    def _presence(self) -> Presence:
        return Presence()

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the run has a worker: as Celery knows, and if it says so, as the worker itself knows."""
        health: CheckRunHealthResult = super().check_run_worker_health(run)
        if health.status != WorkerStatus.RUNNING:
            return health
        why_lost = self._presence.lost(self.celery.AsyncResult(run.tags[DAGSTER_CELERY_TASK_ID_TAG]))
        return CheckRunHealthResult(WorkerStatus.FAILED, why_lost) if why_lost else health
