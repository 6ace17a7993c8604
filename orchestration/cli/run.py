"""`millpond run` and `millpond plan`: a job in this process, and its results.

GROUP  ->  a known group?  ->  job <group> or <group>__plan  ->  sync_runs  ->  summary
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assets.delivery.audit.plan_review import PlanReview, newest_plans, review_plan
from assets.delivery.ledger.shadows import active_shadow
from assets.delivery.plan.scope import ALL_RECORDS, REFRESH_TAG
from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from assets.result_texts import did_you_mean
from orchestration.automation.full_refresh import missing_needs, reset_watermarks
from orchestration.automation.groups import OPERATOR_JOBS, OWN_JOBS, PLAN_SUFFIX
from orchestration.cli.exit_codes import CLEAN, HELD_BACK, USAGE
from orchestration.cli.facts import with_json
from orchestration.cli.output import paged, print_problems, print_wrapped
from orchestration.cli.plan_output import print_reviews, review_code, write_files
from orchestration.cli.summary import print_held_back, print_summary, workflows_of_run
from orchestration.configuration.settings import MillpondSettings
from orchestration.ledger_sealing import publish_sealed
from orchestration.opened_warehouse import warehouse_clock, warehouse_of
from orchestration.workflow_files import load_user_files, load_workflows, runnable_workflows
from resources.clock import utc_now
from resources.warehouse.warehouse import Warehouse

OTHER_SUFFIXES = (PLAN_SUFFIX, "__import", "__update")  # jobs with commands of their own


@with_json
def run(group: str, *, full: bool = False, since: datetime | None = None) -> int:
    """Run a group's job in this process and print a summary.

    Args:
        group: A group of groups.yaml, a workflow's name, or `all`.
        full: Full refresh: read every NetSuite record of the group again, not only what changed, and send differences
            in fields that are not monitored as well.
        since: Full refresh of records changed at or after this day or time, UTC, such as `2026-11-01`; nothing else is
            sent.
    """
    if full or since:
        problems = _prepare_full_refresh(group, since)
        if problems:
            print_problems(problems)
            return USAGE
    refresh = since.isoformat() if since else ALL_RECORDS if full else ""
    return run_job(group, tags={REFRESH_TAG: refresh} if refresh else None)


@with_json
def plan(group: str, *, limit: int | None = None, html: Path | None = None, csv: Path | None = None) -> int:
    """Read and plan without sending, and print the plan.

    Args:
        group: A group of groups.yaml, a workflow's name, or `all`.
        limit: Records to print of each workflow; all when omitted.
        html: Also write the plan as a page for reviewers to this file.
        csv: Also write it as a table: a row per record and field.
    """

    def print_results(warehouse: Warehouse, run_id: str, problems: list[str]) -> int:  # noqa: ARG001 - as for runs
        workflows = load_workflows(MillpondSettings().workflows)[0]
        with paged():
            reviews = print_planned(warehouse, workflows, run_id, limit=limit)
        write_files(reviews, html, csv)
        return review_code(reviews)

    return _execute(f"{group}{PLAN_SUFFIX}", print_results)


def print_planned(
    warehouse: Warehouse, workflows: Sequence[Workflow], run_id: str, *, limit: int | None = None
) -> list[PlanReview]:
    """Print what a run planned, and return it."""
    named = {each.name: each for each in workflows}
    now = utc_now(warehouse_clock(MillpondSettings()))
    with warehouse.writer(transaction=False) as con:
        made = newest_plans(con, run_id)
    planned = (review_plan(warehouse, named[name], named, made, now) for name in made if name in named)
    reviews = [each for each in planned if each]
    print_summary(warehouse, run_id)
    print_reviews(reviews, limit=limit)
    return reviews


def run_job(job: str, ops: Mapping[str, Any] | None = None, *, tags: Mapping[str, str] | None = None) -> int:
    """Run a group's job and print its summary; return the exit code.

    Args:
        job: The job's name.
        ops: Dagster's config of single ops.
        tags: Tags of the run.
    """

    def print_results(warehouse: Warehouse, run_id: str, problems: list[str]) -> int:
        if problems and warehouse.exists():
            publish_sealed(warehouse)  # analysts also see what a failed run did
        print_summary(warehouse, run_id)
        workflows = {each.name: each for each in load_workflows(MillpondSettings().workflows)[0]}
        names = [name for name in workflows_of_run(warehouse, run_id) if name in workflows]
        new = [print_held_back(warehouse, workflows[name], workflows, run_id) for name in names]
        return HELD_BACK if any(new) else CLEAN

    return _execute(job, print_results, ops, tags)


def _prepare_full_refresh(group: str, since: datetime | None) -> list[str]:
    """Set the watermarks of a group back; return the problems, in which case nothing was changed."""
    settings = MillpondSettings()
    if since and _is_future(settings, since):
        return [f"--since {since:%Y-%m-%d %H:%M} is in the future, so that nothing would be sent; correct the date"]
    files = load_user_files(settings.workflows)
    chosen = files.groups.groups.get(group)
    if chosen is None:
        return []  # reported by the run
    known = {each.name: each for each in files.workflows}
    problems = list(missing_needs(chosen, known))
    if not problems:
        runnable = runnable_workflows(files.workflows, settings)
        active = [known[name] for name in chosen.workflows if name in known and name in runnable]
        reset_watermarks(warehouse_of(settings), active, since)
    return problems


def _is_future(settings: MillpondSettings, moment: datetime) -> bool:
    known = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return known > utc_now(warehouse_clock(settings))


def _execute(
    job_name: str,
    print_results: Callable[[Warehouse, str, list[str]], int],
    ops: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> int:
    """Run one job of a group that exists; return the exit code."""
    problem = unknown_group(job_name)
    if problem:
        print_problems([problem])
        return USAGE
    from orchestration.cli.job_run import execute_job  # late: Dagster takes seconds to load, a typing error needs none

    with warehouse_of(MillpondSettings()).kept_open():  # the results are read in a dozen sections
        code = execute_job(job_name, print_results, ops, tags)
        print_switched_off(job_name)
    return code


def print_switched_off(job_name: str) -> None:
    """Print which workflows of a job did nothing because a person switched them off."""
    settings = MillpondSettings()
    files, switches = load_user_files(settings.workflows), Switches(settings.warehouse)
    groups = files.groups.groups
    group = next((groups[each] for each in _names(job_name) if each in groups), None)
    for each in files.workflows if group else ():
        if group and each.name in group.workflows and each.spec.active and not (state := switches.state(each)).active:
            fix = f"`millpond activate {each.name}` switches it on"
            print_wrapped(f"{each.name}: nothing was done: it is {state.description}; {fix}", "yellow")
    if group and not job_name.endswith(PLAN_SUFFIX):
        _print_shadowed(settings, group.workflows)


def _print_shadowed(settings: MillpondSettings, names: Sequence[str]) -> None:
    """Print which workflows of a run sent nothing because another connector still writes."""
    warehouse = warehouse_of(settings)
    if warehouse.exists():
        with warehouse.writer(transaction=False) as con:
            shadows = [active_shadow(con, name) for name in names]
        for each in filter(None, shadows):
            print_wrapped(f"{each.sentence}; `millpond shadow report {each.workflow}` compares", "yellow")


def _names(job_name: str) -> list[str]:
    """The name of a job, and that of its group."""
    return [job_name, *(job_name.removesuffix(each) for each in OTHER_SUFFIXES if job_name.endswith(each))]


def unknown_group(job_name: str) -> str:
    """Return that no file has the group of a job, and what may have been meant; blank if one has."""
    settings = MillpondSettings()
    files = load_user_files(settings.workflows)
    usable = runnable_workflows(files.workflows, settings) | files.broken.keys()
    groups = sorted(name for name, group in files.groups.groups.items() if usable.intersection(group.workflows))
    name = next((job_name.removesuffix(each) for each in OTHER_SUFFIXES if job_name.endswith(each)), job_name)
    if {name, job_name} & {*groups, *OWN_JOBS} - {*OPERATOR_JOBS}:
        return ""
    return f"no group {name}; {did_you_mean(name, groups)}known are {', '.join(groups)}"
