"""An executor for steps on Celery workers in which every step ends, whatever happens to its worker.

With dagster-celery 0.29 alone, a run waits forever when a worker dies while another branch of the run succeeds (it then
starts no further steps and waits for them), and when a machine disappears with a started step. Here a lost worker fails
its step, like a crashed process on one machine: the step is retried according to its asset's policy, independent steps
continue, and the run ends.

celery_executor  ->  CeleryStepExecutor.execute  ->  a PendingStep per step
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import dagster as dg
from celery.exceptions import TaskRevokedError, WorkerLostError
from dagster_celery.core_execution_loop import core_celery_execution_loop
from dagster_celery.executor import CeleryExecutor, _submit_task

from orchestration.dagster_internals import (
    ExecutionPlan,
    ExecutionStep,
    KnownExecutionState,
    PlanOrchestrationContext,
    RetryMode,
    serializable_error_info_from_exc_info,
    serialize_value,
)
from orchestration.scale.celery_heartbeat import PATIENCE_S, Heartbeat

STARTED = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_RESTARTED}
ENDED = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
STEP_EVENTS = {*STARTED, *ENDED, dg.DagsterEventType.STEP_OUTPUT, dg.DagsterEventType.STEP_SKIPPED}


@dataclass
class PendingStep:
    """The pending result of a step on a worker; dagster-celery polls it every second."""

    result: Any
    heartbeat: Heartbeat
    events_without_result: Callable[[], list[str]]
    _why_lost: str | None = None

    def ready(self) -> bool:
        """Return whether `get` returns without waiting."""
        if self.result.ready():
            return True
        self._why_lost = self.heartbeat.lost(self.result)
        return self._why_lost is not None

    def get(self) -> list[str]:
        """Return the step's events, serialized; TaskRevokedError if the run was terminated."""
        try:
            return self._result()
        except TaskRevokedError:
            raise
        except Exception:  # noqa: BLE001 - anything that Celery raises, or a worker outside of the step
            return self.events_without_result()

    def _result(self) -> list[str]:
        if self._why_lost:
            raise WorkerLostError(self._why_lost)
        return list(self.result.get())

    def revoke(self) -> None:
        """Revoke the step unless a worker started it."""
        self.result.revoke()


class CeleryStepExecutor(dg.Executor):
    """The executor; each run has its own."""

    def __init__(self, broker: str, patience_s: float) -> None:
        self._patience_s = patience_s
        self._celery = CeleryExecutor(RetryMode.ENABLED, broker=broker, backend=broker)

    @property
    def retries(self) -> RetryMode:
        """Steps are retried according to their assets' policies."""
        return RetryMode.ENABLED

    def app_args(self) -> dict[str, Any]:
        """Return the arguments from which dagster-celery creates its app."""
        arguments: dict[str, Any] = self._celery.app_args()
        return arguments

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Execute all steps of a run, and yield its events."""
        heartbeat = Heartbeat(self._patience_s)

        def submit(  # dagster-celery's own arguments
            app: Any, context: Any, step: ExecutionStep, queue: str, priority: int, known: KnownExecutionState
        ) -> PendingStep:
            result = _submit_task(app, context, step, queue, priority, known)
            return PendingStep(result, heartbeat, partial(self._events_without_result, context, step, known))

        events: Iterator[dg.DagsterEvent] = core_celery_execution_loop(plan_context, execution_plan, submit)
        return events

    def _events_without_result(
        self, context: PlanOrchestrationContext, step: ExecutionStep, known: KnownExecutionState
    ) -> list[str]:
        """The logged events of a step without a Celery result; a failure or retry is added unless it had ended."""
        events = last_attempt(context, step.key)
        if not ENDED & {event.event_type for event in events}:
            error = serializable_error_info_from_exc_info(sys.exc_info())
            events = [self.log_failure_or_retry_event_after_error(context.for_step(step), error, known)]
        return [serialize_value(event) for event in events]


def last_attempt(context: PlanOrchestrationContext, step_key: str) -> list[dg.DagsterEvent]:
    """Return the events of a step's last attempt, in order."""
    entries = context.instance.all_logs(context.run_id, of_type=STEP_EVENTS)
    events = [entry.dagster_event for entry in entries if entry.dagster_event and entry.step_key == step_key]
    started = [number for number, event in enumerate(events) if event.event_type in STARTED]
    return events[started[-1] :] if started else []


def celery_executor(broker: str, patience_s: float = PATIENCE_S) -> dg.ExecutorDefinition:
    """Return an executor of steps on Celery workers; one that does not respond for `patience_s` is considered gone."""

    @dg.executor(name="celery", requirements=dg.multiple_process_executor_requirements())
    def celery(_: dg.InitExecutorContext) -> dg.Executor:
        return CeleryStepExecutor(broker, patience_s)

    return celery
