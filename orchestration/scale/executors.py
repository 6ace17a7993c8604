"""Where the steps of a run are done: in its own process, in processes beside it, or by workers on other machines."""

import dagster as dg

from orchestration.settings import MillpondSettings


def executor_of(settings: MillpondSettings) -> dg.ExecutorDefinition:
    """The executor of every job; workers and their broker come with `millpond[scale]`."""
    if settings.executor == "celery":
        from orchestration.scale.celery_executor import executor_on_workers

        return executor_on_workers(settings.celery_broker)
    if settings.executor == "multiprocess":
        return dg.multiprocess_executor.configured({"start_method": {"forkserver": {}}})
    return dg.in_process_executor
