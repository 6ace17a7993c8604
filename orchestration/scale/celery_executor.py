"""Steps done by Celery's workers, each of which ends, whatever becomes of its worker.

With dagster-celery 0.29 alone a run waits for ever when a worker died while another branch of the run went well (it
starts no further steps then, and waits for them to be done), and when a machine vanished with a step that it had begun.
Here a lost worker fails its step, as a process does that crashes beside its run on one machine: it is tried again where
the asset says so, what does not depend on it goes on, and the run ends.

executor_on_workers  ->  OnWorkers.execute  ->  for each step a Promised result
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import dagster as dg
from celery.exceptions import TaskRevokedError, WorkerLostError
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.plan.step import ExecutionStep
from dagster._core.execution.retries import RetryMode
from dagster._serdes import serialize_value
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster_celery.core_execution_loop import core_celery_execution_loop
from dagster_celery.executor import CeleryExecutor, _submit_task

from orchestration.scale.celery_heartbeat import PATIENCE_S, Presence

BEGUN = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_RESTARTED}
ENDED = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
KEPT = {*BEGUN, *ENDED, dg.DagsterEventType.STEP_OUTPUT, dg.DagsterEventType.STEP_SKIPPED}


@dataclass
class Promised:
    """What a worker will say of a step, or what is said for it; dagster-celery looks for it once a second."""

    result: Any
    presence: Presence
    otherwise: Callable[[], list[str]]
    _why_lost: str | None = None

    def ready(self) -> bool:
        """Whether `get` has something to tell."""
        if self.result.ready():
            return True
        self._why_lost = self.presence.lost(self.result)
        return self._why_lost is not None

    def get(self) -> list[str]:
        """The step's events, serialized.

        Raises:
            TaskRevokedError: Somebody ended the run.
        """
        try:
            return self._heard()
        except TaskRevokedError:
            raise
        except Exception:  # noqa: BLE001 - whatever Celery raises, and what a worker met outside of the step
            return self.otherwise()

    def _heard(self) -> list[str]:
        if self._why_lost:
            raise WorkerLostError(self._why_lost)
        return list(self.result.get())

    def revoke(self) -> None:
        """Take the step back, if nobody has begun it."""
        self.result.revoke()


class OnWorkers(dg.Executor):
    """The executor; each run has one."""

    def __init__(self, broker: str, patience_s: float) -> None:
        self._patience_s = patience_s
        self._celery = CeleryExecutor(RetryMode.ENABLED, broker=broker, backend=broker)

    @property
    def retries(self) -> RetryMode:
        """Steps are tried again as their assets say."""
        return RetryMode.ENABLED

    def app_args(self) -> dict[str, Any]:
        """With what dagster-celery makes its app."""
        arguments: dict[str, Any] = self._celery.app_args()
        return arguments

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Do all steps of a run, and tell what happens."""
        presence = Presence(self._patience_s)

        def submit(  # the arguments are those of dagster-celery's own
            app: Any, context: Any, step: ExecutionStep, queue: str, priority: int, known: KnownExecutionState
        ) -> Promised:
            result = _submit_task(app, context, step, queue, priority, known)
            return Promised(result, presence, partial(self._told_for, context, step, known))

        events: Iterator[dg.DagsterEvent] = core_celery_execution_loop(plan_context, execution_plan, submit)
        return events

    def _told_for(
        self, context: PlanOrchestrationContext, step: ExecutionStep, known: KnownExecutionState
    ) -> list[str]:
        """The events of a step of which Celery raised: those on record if it had ended, else a failure or a retry."""
        events = last_attempt(context, step.key)
        if not ENDED & {event.event_type for event in events}:
            error = serializable_error_info_from_exc_info(sys.exc_info())
            events = [self.log_failure_or_retry_event_after_error(context.for_step(step), error, known)]
        return [serialize_value(event) for event in events]


def last_attempt(context: PlanOrchestrationContext, step_key: str) -> list[dg.DagsterEvent]:
    """What Dagster's records hold of a step since it was begun the last time, in order."""
    entries = context.instance.all_logs(context.run_id, of_type=KEPT)
    events = [entry.dagster_event for entry in entries if entry.dagster_event and entry.step_key == step_key]
    begun = [number for number, event in enumerate(events) if event.event_type in BEGUN]
    return events[begun[-1] :] if begun else []


def executor_on_workers(broker: str, patience_s: float = PATIENCE_S) -> dg.ExecutorDefinition:
    """Steps by Celery's workers.

    Args:
        broker: Where they wait for steps and leave their results, such as `redis://queue:6379/0`.
        patience_s: Seconds without an answer after which a worker is gone.
    """

    @dg.executor(name="celery", requirements=dg.multiple_process_executor_requirements())
    def celery(_: dg.InitExecutorContext) -> dg.Executor:
        return OnWorkers(broker, patience_s)

    return celery
