"""What failed, as Dagster tells it: one root cause for everything that failed by it.

runs that ended since the last look  ->  the last end of every step  ->  Problem, one per root cause

A step is mended when it went well in a later run, whichever job that was. The texts of our own errors are
`system: operation: reason` and carry neither secret nor record; of any other error only its name is told.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import dagster as dg
from dagster._core.execution.stats import StepEventStatus  # the only place that has it

from orchestration.account_partitions import tags_of
from orchestration.alerts.conditions import Kind, Problem
from orchestration.alerts.store import Memory
from orchestration.maintenance.retention import FINISHED

FIRST_LOOK_S = 24 * 3600.0  # how far back the first look goes
OVERLAP_S = 300.0  # runs are looked at by when they changed last, and that may be told late
REMEMBER_S = 7 * 24 * 3600.0
MOST_RUNS = 200  # in one look
MOST_TEXT = 300
MOST_PLANNED = 20  # evaluations of a check that are looked through for one that was made
MOST_OF_ALL = 500  # where those of several accounts are between them
GUARD = "guard"
SYSTEMS = ("netsuite", "suiteprojects", "precoro")


class Cause(NamedTuple):
    """Why something failed: what makes it the same, and how it is told."""

    key: str
    text: str


def follow_runs(instance: dg.DagsterInstance, memory: Memory, now: float, account: str = "") -> None:
    """Note how every step of an account's runs ended that ended since the last look."""
    last = memory.last_end()
    since = now - FIRST_LOOK_S if last is None else last - OVERLAP_S
    records = instance.get_run_records(
        filters=dg.RunsFilter(
            statuses=FINISHED, updated_after=datetime.fromtimestamp(since, UTC), tags=tags_of(account)
        ),
        order_by="update_timestamp", ascending=True, limit=MOST_RUNS,
    )  # fmt: skip
    for record in records:
        ended = record.update_timestamp.replace(tzinfo=UTC).timestamp()
        if memory.is_new(record.dagster_run.run_id, ended, now - REMEMBER_S):
            _follow(instance, memory, record.dagster_run)


def _follow(instance: dg.DagsterInstance, memory: Memory, run: dg.DagsterRun) -> None:
    job = f"job {run.job_name}"
    ends = {each.step_key: each.status for each in instance.get_run_step_stats(run.run_id)}
    for step, status in ends.items():
        if status is StepEventStatus.SUCCESS:
            memory.passed(step)
    if run.status is dg.DagsterRunStatus.SUCCESS:
        memory.passed(job)
    if run.status is not dg.DagsterRunStatus.FAILURE:
        return
    affected = _affected(instance, run)
    causes = dict(_causes(instance, run))
    for step, cause in causes.items():
        if cause is None:  # a guard holds a plan back: that is told as such
            memory.passed(step)
        else:
            memory.failed(step, run.run_id, *cause, affected)
    if not causes:
        text = "the run ended without a word: its process was killed or could not start"
        memory.failed(job, run.run_id, "no word", text, affected)


def _causes(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterable[tuple[str, Cause | None]]:
    """Each step that failed, and why."""
    checks = _failed_checks(instance, run)
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        failed = checks.get(event.step_key, [])
        if any(name == GUARD for name, _ in failed):
            yield event.step_key, None
        elif failed:
            name, told = failed[0]
            yield event.step_key, Cause(f"{event.step_key} {name}", f"{event.step_key}: check {name}: {told}")
        else:
            yield event.step_key, _cause(event)


def _failed_checks(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        event = entry.dagster_event
        if event is not None and event.step_key is not None:
            check = event.asset_check_evaluation_data
            if check.blocking and not check.passed:
                found.setdefault(event.step_key, []).append((check.check_name, check.description or "failed"))
    return found


def _cause(event: dg.DagsterEvent) -> Cause:
    """The root cause in our own error's words; of an error that is not ours only the name."""
    failure = event.step_failure_data
    told = failure.user_failure_data.description if failure.user_failure_data else None
    if told:
        return cause_of(told)
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    name = error.cls_name if error else "an error"
    return Cause(f"{event.step_key} {name}", f"{event.step_key}: {name}; the run's log in the UI has the rest")


def cause_of(text: str) -> Cause:
    """`system: operation: reason` without the operation: whatever was asked, the system had the same trouble."""
    parts = " ".join(text.split()).split(": ")
    if len(parts) > 1 and "__" in parts[0]:
        parts = parts[1:]  # the workflow is among the affected
    if len(parts) >= 3 and parts[0] in SYSTEMS:  # noqa: PLR2004 - system, operation, reason
        parts = [parts[0], *parts[2:]]
    shown = ": ".join(parts)[:MOST_TEXT]
    return Cause(re.sub(r"\d+", "#", shown), shown)


def _affected(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    """The workflows that the run should have brought up to date, and did not."""
    planned = _keys(instance, run, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    made = _keys(instance, run, dg.DagsterEventType.ASSET_MATERIALIZATION)
    return sorted(name.removeprefix("sync_") for name in planned - made if name.startswith("sync_"))


def _keys(instance: dg.DagsterInstance, run: dg.DagsterRun, kind: dg.DagsterEventType) -> set[str]:
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id, of_type=kind)]
    return {event.asset_key.to_user_string() for event in events if event and event.asset_key}


def run_problems(memory: Memory) -> list[Problem]:
    """One problem per root cause, with every workflow or step that it stopped."""
    grouped: dict[str, tuple[str, dict[str, None], dict[str, None]]] = {}
    for step, run_id, key, cause, affected in memory.failures():
        _, names, runs = grouped.setdefault(key, (cause, {}, {}))
        names.update(dict.fromkeys(affected or [step]))
        runs.update(dict.fromkeys([f"run {run_id[:8]}"]))
    return [
        Problem(Kind.FAILED, key, cause, tuple(names), (", ".join(list(runs)[:8]),))
        for key, (cause, names, runs) in grouped.items()
    ]


def check_problems(
    instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey], account: str = ""
) -> list[Problem]:
    """Checks of the nightly reconciliation whose last answer was no; their texts count records and name causes."""
    found = []
    for key in checks:
        evaluation = last_answer(instance, key, account)
        if evaluation is not None and not evaluation.passed:
            workflow = key.asset_key.to_user_string().removeprefix("sync_")
            cause = f"{workflow}: {evaluation.description}"
            found.append(Problem(Kind.UNRECONCILED, workflow, cause, (workflow,)))
    return found


def last_answer(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, account: str = ""
) -> dg.AssetCheckEvaluation | None:
    """A check's newest answer; a run that is under way, or that died before, has planned one and given none."""
    most = MOST_OF_ALL if account else MOST_PLANNED
    for record in instance.event_log_storage.get_asset_check_execution_history(check_key=key, limit=most):
        if isinstance(record.evaluation, dg.AssetCheckEvaluation) and _is_of(instance, record.run_id, account):
            return record.evaluation
    return None


def _is_of(instance: dg.DagsterInstance, run_id: str, account: str) -> bool:
    """Whether a run is of an account; Dagster's checks have partitions in preview only."""
    run = instance.get_run_by_id(run_id) if account else None
    return not account or (run is not None and tags_of(account).items() <= run.tags.items())
