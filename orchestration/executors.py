"""Where the steps of a run are done: in its own process, in processes beside it, or by workers on other machines."""

import dagster as dg

from orchestration.settings import MillpondSettings


def executor_of(settings: MillpondSettings) -> dg.ExecutorDefinition:
    """The executor of every job; workers and their broker come with `millpond[scale]`."""
    if settings.executor == "celery":
        from dagster_celery import celery_executor

        address = {"broker": settings.celery_broker, "backend": settings.celery_broker}
        celery: dg.ExecutorDefinition = celery_executor.configured(address)
        return celery
    if settings.executor == "multiprocess":
        return dg.multiprocess_executor.configured({"start_method": {"forkserver": {}}})
    return dg.in_process_executor
