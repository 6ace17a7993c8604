"""Executors: a run's steps in its own process, in processes beside it, or on workers of other machines."""

import dagster as dg

from orchestration.configuration.settings import MillpondSettings


def executor_of(settings: MillpondSettings) -> dg.ExecutorDefinition:
    """Return the executor of every job; Celery comes with `millpond[scale]`."""
    if settings.executor == "celery":
        from orchestration.scale.celery_executor import celery_executor  # late: an optional dependency

        return celery_executor(settings.celery_broker)
    if settings.executor == "multiprocess":
        return dg.multiprocess_executor.configured({"start_method": {"forkserver": {}}})
    return dg.in_process_executor
