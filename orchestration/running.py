"""Run a group's job in this process, show how far it is, and print what it did.

millpond run GROUP  ->  job <group>  ->  sync_runs  ->  summary
"""

import logging
import os
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import dagster as dg
import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from assets.delivery.ledger import COUNTED
from assets.delivery.plans import PlanError, Seal
from assets.delivery.workflow_file import WorkflowFileError
from assets.metadata import PREVIEW_ROWS, duration
from orchestration.home import open_instance
from orchestration.mending import BY_CLI, BY_TAG, close_dead_runs
from orchestration.pond import pond_of
from orchestration.settings import MillpondSettings
from resources.warehouse import PondError, Warehouse, quoted

POLL_S = 0.25
STEPS = ("__plan", "__import", "__update")  # jobs of a group that have commands of their own
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
COUNTS = list(COUNTED.values())
SHOWN_RECORDS = 10
# what a person must look at: nothing was sent for these records; blocked ones go by themselves
HELD = ("quarantined", "ambiguous", "failed")


def run_group(group: str, console: Console, ops: Mapping[str, Any] | None = None) -> int:
    """Run and print the summary; returns the exit code. `ops` is Dagster's config of single assets."""
    settings = MillpondSettings()
    done = execute(settings, group, console, ops)
    if done is None:
        return 2
    run_id, problems = done
    warehouse = pond_of(settings, personal=settings.personal)
    with _pond_trouble(problems):
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
    from orchestration.definitions import load_workflows
    from orchestration.full_sync import missing_needs, read_again
    from orchestration.jobs import load_groups

    workflows, broken = load_workflows(settings.workflows)
    groups, _ = load_groups(settings.workflows, [*(each.name for each in workflows), *broken])
    if group in groups:
        known = {each.name: each for each in workflows}
        unmet = list(missing_needs(groups[group], known))
        if unmet:
            print_problems(unmet, console)
            return 2
        asked = [known[name] for name in groups[group].workflows if name in known and known[name].spec.active]
        read_again(pond_of(settings), asked, since)
    return run_group(group, console)


def plan_group(group: str, console: Console) -> int:
    """Run the group's job up to the plan and print it; returns the exit code."""
    settings = MillpondSettings()
    done = execute(settings, f"{group}__plan", console)
    if done is None:
        return 2
    run_id, problems = done
    warehouse = pond_of(settings, seal_key=os.environ.get("MILLPOND_SEAL_KEY", ""))
    with _pond_trouble(problems):
        print_summary(warehouse, run_id, console)
        for workflow in _workflows_of(warehouse, run_id):
            print_plan(warehouse, workflow, console, values=settings.personal == "show")
    print_problems(problems, console)
    return 1 if problems else 0


@contextmanager
def _pond_trouble(problems: list[str]) -> Iterator[None]:
    """A pond that cannot be read is one more problem, not a traceback over the others."""
    try:
        yield
    except PondError as error:
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
        from orchestration.definitions import definitions
        from orchestration.jobs import OWN_JOBS
        from orchestration.release_job import RELEASE
        from orchestration.switching import SWITCH

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


def print_problems(problems: Sequence[str], console: Console) -> None:
    """Each problem on its own line, as it is."""
    for problem in dict.fromkeys(problems):
        console.print(f"✗ {problem}", style="red", markup=False, highlight=False, soft_wrap=True)


def print_summary(warehouse: Warehouse, run_id: str, console: Console) -> None:
    """One row per workflow: what was done, calls made, seconds."""
    if not warehouse.has("sync_runs"):
        return
    rows = warehouse.read("select * from sync_runs where run_id = ? order by started_at, workflow", [run_id]).to_dicts()
    if not rows:
        return
    only_planned = all(row["plan_id"] is None for row in rows)
    title = f"run {run_id[:8]}: planned, nothing was sent" if only_planned else f"run {run_id[:8]}"
    _print_line(title, console, style="italic")  # a table would break a title that is wider than itself
    table = Table()
    table.add_column("")
    for row in rows:
        table.add_column(row["workflow"], justify="right")
    table.add_row("state", *(str(row["state"]) for row in rows), end_section=True)
    for action, name in COUNTED.items():
        label = action.value if only_planned else name
        table.add_row(label, *(_number(row[name]) for row in rows), end_section=name == COUNTS[-1])
    table.add_row("calls", *(_number(row["calls"]) for row in rows))
    if not only_planned:
        table.add_row("seconds", *("·" if row["seconds"] is None else f"{row['seconds']:.1f}" for row in rows))
    console.print(table)
    for account in dict.fromkeys(row["account"] for row in rows if row["account"]):
        of = ", ".join(row["workflow"] for row in rows if row["account"] == account)
        _print_line(f"account {account}: {of}", console, style="dim")
    for row in rows:
        if row["note"]:
            console.print(f"{row['workflow']} stopped: {row['note']}", style="yellow", markup=False, soft_wrap=True)


def _number(value: Any) -> str:
    return f"{value:,}" if value else "·"


def _workflows_of(warehouse: Warehouse, run_id: str) -> list[str]:
    if not warehouse.has("sync_runs"):
        return []
    rows = warehouse.read("select workflow from sync_runs where run_id = ? order by started_at", [run_id])
    return [str(name) for name in rows["workflow"]]


def print_held(warehouse: Warehouse, workflow: str, console: Console) -> None:
    """Records for which nothing could be sent, by id and reason."""
    if not warehouse.has("sync_decisions"):
        return
    held = warehouse.read(
        "select source, source_id, action, reason from sync_decisions where workflow = ? and to_run is null"
        f" and action in {HELD} order by action, source, try_cast(source_id as bigint)",
        [workflow],
    )
    if held.height:
        console.print(
            f"{workflow}: {held.height} to look at; `millpond explain ID` tells the story of one", style="bold"
        )
    for row in held.head(SHOWN_RECORDS).iter_rows(named=True):
        _print_line(f"  {row['source']} {row['source_id']}: {row['action']}, {row['reason']}", console)
    if held.height > SHOWN_RECORDS:
        _print_line(f"  … and {held.height - SHOWN_RECORDS} more", console)


def _print_line(line: str, console: Console, style: str = "") -> None:
    """One line as it is; into a pipe it is never broken."""
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def print_plan(
    warehouse: Warehouse, workflow: str, console: Console, *, plan_id: str = "", values: bool = True
) -> None:
    """Counts by action and reason, what sending takes, then the first records with what would change.

    Without a plan id it is the newest plan of the workflow; without values only the fields are named.
    """
    plan = quoted(f"plan_{workflow}")
    known = warehouse.read(
        "select plan_id, state, writes, calls_needed, seconds_needed, calls_left, expires_at from sync_plans"
        " where workflow = ? and (plan_id = ? or ? = '') order by made_at desc limit 1",
        [workflow, plan_id, plan_id],
    ).to_dicts()
    if not known:
        return
    plan_id = known[0]["plan_id"]
    counts = warehouse.read(
        f"select action, reason_code, count(*) as records from {plan} where plan_id = ?"
        " group by all order by action, records desc",
        [plan_id],
    )
    _print_line(f"plan {plan_id} of {workflow}", console, style="italic")
    table = Table("action", "reason", "records")
    for action, code, records in counts.iter_rows():
        table.add_row(action, code or "", f"{records:,}")
    console.print(table)
    if known[0]["writes"]:
        takes, left = duration(known[0]["seconds_needed"]), known[0]["calls_left"]
        of = "" if left is None else f" of {left:,} that are left today"
        _print_line(
            f"{known[0]['writes']:,} records to write, {known[0]['calls_needed']:,} requests{of}, {takes};"
            f" `millpond apply {plan_id}` sends it until {known[0]['expires_at']:%Y-%m-%d %H:%M} UTC",
            console,
        )
    first = warehouse.read(
        f"select source, source_id, action, changes, reason, payload from {plan}"
        " where plan_id = ? and (action not in ('unchanged', 'skipped', 'create') or reason_code = 'conflict')"
        " order by source, try_cast(source_id as bigint)",
        [plan_id],
    )
    for row in _opened(warehouse, first.head(PREVIEW_ROWS)).iter_rows(named=True):
        _print_line(f"{row['source']} {row['source_id']}: {row['action']}, {row['reason']}", console)
        for change in row["changes"] or []:
            _print_line(f"    {change_text(change) if values else change['field']}", console, style="dim")
    if first.height > PREVIEW_ROWS:
        _print_line(f"… and {first.height - PREVIEW_ROWS} more", console)


def _opened(warehouse: Warehouse, rows: pl.DataFrame) -> pl.DataFrame:
    """Plan rows with their values, for who has the key; the others see which fields change."""
    try:
        return Seal(warehouse.seal_key).open(rows)
    except PlanError:
        return rows


def change_text(change: Mapping[str, str | None]) -> str:
    """One change as a person reads it; a sealed one has neither value."""
    if change["before"] is None and change["after"] is None:
        return f"{change['field']}: sealed"
    return f"{change['field']}: {change['before'] or '∅'} → {change['after'] or '∅'}"
