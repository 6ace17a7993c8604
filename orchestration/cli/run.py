"""Run a group's job in this process, show how far it is, and print what it did.

millpond run GROUP  ->  job <group>  ->  sync_runs  ->  summary
"""

import logging
import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import dagster as dg
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from assets.delivery.spec.loader import WorkflowFileError
from orchestration.cli.output import _workflows_of, print_held, print_plan, print_problems, print_summary
from orchestration.dagster_instance import open_instance
from orchestration.maintenance.dead_runs import BY_CLI, BY_TAG, close_dead_runs
from orchestration.settings import MillpondSettings
from orchestration.warehouse_access import warehouse_of
from resources.warehouse.warehouse import WarehouseError

POLL_S = 0.25
STEPS = ("__plan", "__import", "__update")  # jobs of a group that have commands of their own
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_group(group: str, console: Console, ops: Mapping[str, Any] | None = None) -> int:
    """Run and print the summary; returns the exit code. `ops` is Dagster's config of single assets."""
    settings = MillpondSettings()
    done = execute(settings, group, console, ops)
    if done is None:
        return 2
    run_id, problems = done
    warehouse = warehouse_of(settings, personal=settings.personal)
    with _warehouse_trouble(problems):
        if problems and warehouse.exists():
            warehouse.publish()  # what a failed run did is in the ledger; analysts shall see that too
        print_summary(warehouse, run_id, console)
        for workflow in _workflows_of(warehouse, run_id):
            print_held(warehouse, workflow, console)
    print_problems(problems, console)
    return 1 if problems else 0


def synchronise_group(group: str, since: datetime | None, console: Console) -> int:
    """Run a group with NetSuite read again; returns the exit code. Nothing is run when its needs are not met."""
    settings = MillpondSettings()
    from orchestration.automation.full_refresh import missing_needs, read_again
    from orchestration.automation.jobs import load_groups
    from orchestration.definitions import load_workflows

    workflows, broken = load_workflows(settings.workflows)
    groups, _ = load_groups(settings.workflows, [*(each.name for each in workflows), *broken])
    if group in groups:
        known = {each.name: each for each in workflows}
        unmet = list(missing_needs(groups[group], known))
        if unmet:
            print_problems(unmet, console)
            return 2
        asked = [known[name] for name in groups[group].workflows if name in known and known[name].spec.active]
        read_again(warehouse_of(settings), asked, since)
    return run_group(group, console)


def plan_group(group: str, console: Console) -> int:
    """Run the group's job up to the plan and print it; returns the exit code."""
    settings = MillpondSettings()
    done = execute(settings, f"{group}__plan", console)
    if done is None:
        return 2
    run_id, problems = done
    warehouse = warehouse_of(settings, seal_key=os.environ.get("MILLPOND_SEAL_KEY", ""))
    with _warehouse_trouble(problems):
        print_summary(warehouse, run_id, console)
        for workflow in _workflows_of(warehouse, run_id):
            print_plan(warehouse, workflow, console, values=settings.personal == "show")
    print_problems(problems, console)
    return 1 if problems else 0


@contextmanager
def _warehouse_trouble(problems: list[str]) -> Iterator[None]:
    """A warehouse that cannot be read is one more problem, not a traceback over the others."""
    try:
        yield
    except WarehouseError as error:
        problems.append(str(error))


def execute(
    settings: MillpondSettings, job_name: str, console: Console, ops: Mapping[str, Any] | None = None
) -> tuple[str, list[str]] | None:
    """Run one job with a progress display.

    Returns:
        The run's id and what went wrong, in words; None when there is no such job.
    """
    with open_instance(settings) as instance:
        # after DAGSTER_HOME is set: the code location reads the settings
        from orchestration.automation.jobs import OWN_JOBS
        from orchestration.cli.activation import SWITCH
        from orchestration.definitions import definitions
        from orchestration.operator_jobs.apply_plan import RELEASE

        try:
            loaded = definitions()
        except WorkflowFileError as error:
            print_problems([str(error)], console)
            return None
        # a plan is released by `millpond apply`
        others = {RELEASE, SWITCH}
        jobs = {job.name: job for job in loaded.resolve_all_job_defs() if job.name not in others}
        if job_name not in jobs:
            groups = sorted(
                name for name in jobs if not name.startswith("__") and not name.endswith(STEPS) and name not in OWN_JOBS
            )
            asked = escape(job_name.removesuffix("__plan"))
            console.print(f"no group [b]{asked}[/b]; there are {', '.join(groups)}", style="red", soft_wrap=True)
            return None
        job = jobs[job_name]
        close_dead_runs(instance)  # or their places in the pool would be waited for
        run_id = str(uuid.uuid4())
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        with _progress(instance, run_id, len(list(job.graph.node_dict)), console):
            result = job.execute_in_process(
                instance=instance,
                run_id=run_id,
                raise_on_error=False,
                partition_key=settings.account or None,
                run_config={**QUIET, "ops": ops or {}},
                tags={BY_TAG: BY_CLI, "dagster/max_retries": "0"},  # who sits there sees how it ended
            )
        return result.run_id, _problems(result)


@contextmanager
def _progress(instance: dg.DagsterInstance, run_id: str, steps: int, console: Console) -> Iterator[None]:
    """Follow the run's events and show the step at work, how many are done, and what it says."""
    stop = threading.Event()
    columns = (
        SpinnerColumn(), TextColumn("{task.description}", table_column=None), BarColumn(bar_width=24),
        MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    # into a pipe or file no display: its control characters would stand between the lines
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=steps)

        def follow() -> None:
            cursor: str | None = None
            done = 0
            while not stop.wait(POLL_S):
                page = instance.get_records_for_run(run_id, cursor=cursor)
                cursor = page.cursor
                for record in page.records:
                    event, text = record.event_log_entry.dagster_event, record.event_log_entry.user_message
                    if event and event.is_step_start:
                        progress.update(task, description=str(event.step_key))
                    elif event and (event.is_step_success or event.is_step_failure):
                        done += 1
                        progress.update(task, completed=done)
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
    """What failed: a step's own words, or the check that stopped it."""
    told = []
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            user = failure.user_failure_data
            text = (user.description if user else None) or _root_cause(failure.error)
            told.append(f"{event.step_key}: {text.strip()}")
    failed = [each for each in result.get_asset_check_evaluations() if each.blocking and not each.passed]
    return told + [f"{each.asset_key.to_user_string()}: check {each.check_name}: {_told(each)}" for each in failed]


def _told(check: dg.AssetCheckEvaluation) -> str:
    """What a check says, or the numbers that it looked at."""
    return check.description or ", ".join(f"{name} {value.value}" for name, value in check.metadata.items())


def _root_cause(error: Any) -> str:
    """The innermost exception's own words: Dagster wraps what a step raises."""
    while error is not None and error.cause is not None:
        error = error.cause
    return str(error.message) if error else "failed"
