"""One job in this process: its progress, its problems, and what is printed at the end.

job  ->  definitions, Dagster's instance  ->  execute_job()  ->  exit code
"""

import logging
import signal
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from orchestration.automation.groups import OPERATOR_JOBS
from orchestration.cli.output import console, print_problems
from orchestration.cli.signals import INTERRUPTED, SIGNAL_EXIT, stop_signals
from orchestration.configuration.settings import MillpondSettings
from orchestration.dagster_instance import open_instance
from orchestration.dagster_internals import MAX_RETRIES_TAG
from orchestration.definitions import definitions
from orchestration.maintenance.dead_runs import LAUNCHED_BY_CLI, close_dead_runs
from orchestration.opened_warehouse import warehouse_of
from resources.warehouse.warehouse import Warehouse, WarehouseError

POLL_S = 0.25
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def execute_job(
    job_name: str,
    print_results: Callable[[Warehouse, str, list[str]], None],
    ops: Mapping[str, Any] | None = None,
) -> int:
    """Run one job with a progress display, and print its results and problems; return the exit code."""
    settings = MillpondSettings()
    with open_instance(settings) as instance:
        jobs = {job.name: job for job in definitions().resolve_all_job_defs() if job.name not in OPERATOR_JOBS}
        if job_name not in jobs:
            print_problems([f"{job_name} has no usable workflow to run; `millpond activate WORKFLOW` switches one on"])
            return 2
        job = jobs[job_name]
        close_dead_runs(instance)  # otherwise the run would wait for their pool slots
        run_id = str(uuid.uuid4())
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        with stop_signals() as received, _progress(instance, run_id, len(job.graph.node_dict)):
            result = job.execute_in_process(
                instance=instance,
                run_id=run_id,
                raise_on_error=False,
                partition_key=settings.account or None,
                run_config={**QUIET, "ops": ops or {}},
                tags={**LAUNCHED_BY_CLI, MAX_RETRIES_TAG: "0"},  # the operator sees how it ends
            )
        signals = received()
        problems = _problems(result) + [INTERRUPTED.format(signal.Signals(each).name) for each in signals]
    try:
        print_results(warehouse_of(settings), run_id, problems)
    except WarehouseError as error:  # one more problem, without a traceback that hides the others
        problems.append(str(error))
    print_problems(problems)
    if signals:
        return SIGNAL_EXIT + signals[0]
    return 1 if problems else 0


@contextmanager
def _progress(instance: dg.DagsterInstance, run_id: str, steps: int) -> Iterator[None]:
    """Show the current step, its last log message and the number of completed steps."""
    stop = threading.Event()
    columns = (
        SpinnerColumn(), TextColumn("{task.description}", table_column=None), BarColumn(bar_width=24),
        MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    # not into a pipe or file, where its control characters would remain
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=steps)

        def follow() -> None:
            cursor: str | None = None
            while not stop.wait(POLL_S):
                page = instance.get_records_for_run(run_id, cursor=cursor)
                cursor = page.cursor
                for record in page.records:
                    event, text = record.event_log_entry.dagster_event, record.event_log_entry.user_message
                    if event and event.is_step_start:
                        progress.update(task, description=str(event.step_key))
                    elif event and (event.is_step_success or event.is_step_failure):
                        progress.advance(task)
                    elif not event and text:
                        progress.update(task, description=text[:60])

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _problems(result: dg.ExecuteInProcessResult) -> list[str]:
    """Every failed step with its error, and every failed blocking check."""
    problems = []
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.error and failure.error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
                continue  # the signal is reported
            user = failure.user_failure_data
            text = (user.description if user else None) or _root_cause(failure.error)
            problems.append(f"{event.step_key}: {text.strip()}")
    failed = [each for each in result.get_asset_check_evaluations() if each.blocking and not each.passed]
    return problems + [
        f"{each.asset_key.to_user_string()}: check {each.check_name}: {_check_text(each)}" for each in failed
    ]


def _check_text(check: dg.AssetCheckEvaluation) -> str:
    return check.description or ", ".join(f"{name} {value.value}" for name, value in check.metadata.items())


def _root_cause(error: Any) -> str:
    """The message of the innermost exception: Dagster wraps what a step raises."""
    while error is not None and error.cause is not None:
        error = error.cause
    return str(error.message) if error else "failed"
