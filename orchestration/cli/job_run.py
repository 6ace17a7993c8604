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

from assets.failures import failed_assets, waits_for_approval
from orchestration.automation.groups import OPERATOR_JOBS
from orchestration.automation.jobs import RECONCILED
from orchestration.cli.exit_codes import CLEAN, FAILED, HELD_BACK, USAGE, WAITS, worst
from orchestration.cli.output import console, print_problems, print_wrapped
from orchestration.cli.signals import INTERRUPTED, SIGNAL_EXIT, stop_signals
from orchestration.configuration.settings import MillpondSettings
from orchestration.dagster_instance import open_instance
from orchestration.dagster_internals import MAX_RETRIES_TAG, capture_nothing
from orchestration.definitions import definitions
from orchestration.maintenance.dead_runs import LAUNCHED_BY_CLI, close_dead_runs
from orchestration.opened_warehouse import warehouse_of
from resources.warehouse.warehouse import Warehouse, WarehouseError

GUARD = "guard"  # the check that stops a plan until a person approves it
# errors of steps that are reported in another way: a signal, and a failed check
REPORTED = (dg.DagsterExecutionInterruptedError.__name__, "DagsterAssetCheckFailedError")
POLL_S = 0.25
QUIET_LOGGERS = ("dagster", "dagster._core")  # a run sets the level of the first one as dagster.yaml says
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def execute_job(
    job_name: str,
    print_results: Callable[[Warehouse, str, list[str]], int],
    ops: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> int:
    """Run one job with a progress display, and print its results and problems; return the exit code.

    `print_results` returns the exit code of a job that ended without a problem.
    """
    settings = MillpondSettings()
    with open_instance(settings) as instance:
        capture_nothing(instance)
        repository = definitions().get_repository_def()
        if job_name in OPERATOR_JOBS or not repository.has_job(job_name):
            print_problems([f"{job_name} has no usable workflow to run; `millpond activate WORKFLOW` switches one on"])
            return USAGE
        job = repository.get_job(job_name)  # and no other one: to resolve all takes a third of a second
        close_dead_runs(instance)  # otherwise the run would wait for their pool slots
        run_id = str(uuid.uuid4())
        for name in QUIET_LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with stop_signals() as received, _progress(instance, run_id, len(job.graph.node_dict)):
            result = job.execute_in_process(
                instance=instance,
                run_id=run_id,
                raise_on_error=False,
                partition_key=settings.account or None,
                run_config={**QUIET, "ops": ops or {}},
                tags={**(tags or {}), **LAUNCHED_BY_CLI, MAX_RETRIES_TAG: "0"},  # the operator sees how it ends
            )
        signals = received()
        guards = _failed_guards(result)
        problems = [*_problems(result), *(INTERRUPTED.format(signal.Signals(each).name) for each in signals)]
        differs, alike = _differences(result), _compared(result)
    code = CLEAN
    try:
        code = print_results(warehouse_of(settings), run_id, [*problems, *guards])
    except WarehouseError as error:  # one more problem, without a traceback that hides the others
        problems.append(str(error))
    for text in alike:
        print_wrapped(f"✓ {text}", "green")
    print_problems([*problems, *guards, *differs])
    if signals:
        return SIGNAL_EXIT + signals[0]
    return worst(code, FAILED if problems else CLEAN, WAITS if guards else CLEAN, HELD_BACK if differs else CLEAN)


@contextmanager
def _progress(instance: dg.DagsterInstance, run_id: str, steps: int) -> Iterator[None]:
    """Show the current step, its last log message and the number of completed steps, on a terminal."""
    if not console.is_terminal:  # its control characters would remain in a file, and reading the events takes time
        yield
        return
    stop = threading.Event()
    columns = (
        SpinnerColumn(), TextColumn("{task.description}", table_column=None), BarColumn(bar_width=24),
        MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
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
    problems: list[str] = []
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.error and failure.error.cls_name in REPORTED:
                continue
            if waits_for_approval(event):
                continue
            if tables := failed_assets(event):
                problems += [f"{table}: {text}" for table, text in tables.items()]
                continue
            user = failure.user_failure_data
            text = (user.description if user else None) or _root_cause(failure.error)
            problems.append(f"{event.step_key}: {text.strip()}")
    return problems + _failed_checks(result, lambda each: bool(each.blocking) and each.check_name != GUARD)


def _failed_guards(result: dg.ExecuteInProcessResult) -> list[str]:
    """Return the plans that wait for approval, with the guard that holds each back."""
    return _failed_checks(result, lambda each: each.check_name == GUARD)


def _differences(result: dg.ExecuteInProcessResult) -> list[str]:
    """Return what the reconciliation found to differ."""
    return _failed_checks(result, lambda each: each.check_name == RECONCILED)


def _compared(result: dg.ExecuteInProcessResult) -> list[str]:
    """Return what the reconciliation found to be as it should."""
    found = (each for each in result.get_asset_check_evaluations() if each.passed and each.check_name == RECONCILED)
    return [_named(each) for each in found]


def _failed_checks(result: dg.ExecuteInProcessResult, is_meant: Callable[[dg.AssetCheckEvaluation], bool]) -> list[str]:
    failed = (each for each in result.get_asset_check_evaluations() if not each.passed and is_meant(each))
    return [_named(each) for each in failed]


def _named(check: dg.AssetCheckEvaluation) -> str:
    return f"{check.asset_key.to_user_string()}: check {check.check_name}: {_check_text(check)}"


def _check_text(check: dg.AssetCheckEvaluation) -> str:
    return check.description or ", ".join(f"{name} {value.value}" for name, value in check.metadata.items())


def _root_cause(error: Any) -> str:
    """The message of the innermost exception: Dagster wraps what a step raises."""
    while error is not None and error.cause is not None:
        error = error.cause
    return str(error.message) if error else "failed"
