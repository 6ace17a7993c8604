"""Alert conditions in Dagster's runs and checks: one root cause for everything that failed because of it.

runs that ended after the last check  ->  the last outcome of every step  ->  Alert, one per root cause

A failed step recovers when it succeeds in a later run of any job; a plan or record that a person sent, and a run that
was killed, when its workflows are next synced. What leaves nothing to correct is no failure: a decision that was
refused, or a quota that is used up. Our own errors read `system: operation: reason` and contain neither secrets nor
record contents; of other errors only the class name is reported.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import dagster as dg

from assets.failures import failed_assets, is_expected
from orchestration.account_partitions import run_tags
from orchestration.alerts.conditions import Alert, Kind
from orchestration.alerts.store import AlertStore
from orchestration.automation.groups import APPLY_PLAN, RESEND_RECORD, WORKFLOW_TAG
from orchestration.dagster_internals import StepEventStatus
from orchestration.maintenance.retention import FINISHED

FIRST_CHECK_S = 24 * 3600.0  # how far back the first check goes
OVERLAP_S = 300.0  # a run's update time may become visible late
REMEMBER_RUNS_S = 7 * 24 * 3600.0
MAX_RUNS = 200  # per check
MAX_TEXT = 300
MAX_EVALUATIONS = 20  # of a check, in which the last one with a result is searched
MAX_EVALUATIONS_OF_ALL = 500  # where several accounts share them
GUARD, SYNC = "guard", "sync_"
SENDING = (APPLY_PLAN, RESEND_RECORD)  # a sync does what they left; any other decision has to be made again
SYSTEMS = ("netsuite", "suiteprojects", "precoro")


class Cause(NamedTuple):
    """A root cause: its key, equal for equal causes, and its text."""

    key: str
    text: str


def record_runs(instance: dg.DagsterInstance, store: AlertStore, now: float, account: str = "") -> None:
    """Store the step outcomes of an account's runs that ended after the last check."""
    last = store.last_run_end()
    since = now - FIRST_CHECK_S if last is None else min(last, now) - OVERLAP_S  # the clock may have been set back
    records = instance.get_run_records(
        filters=dg.RunsFilter(
            statuses=FINISHED, updated_after=datetime.fromtimestamp(since, UTC), tags=run_tags(account)
        ),
        order_by="update_timestamp", ascending=True, limit=MAX_RUNS,
    )  # fmt: skip
    for record in records:
        ended = record.update_timestamp.replace(tzinfo=UTC).timestamp()
        if store.add_run(record.dagster_run.run_id, ended, now - REMEMBER_RUNS_S):
            _record_run(instance, store, record.dagster_run)


def _record_run(instance: dg.DagsterInstance, store: AlertStore, run: dg.DagsterRun) -> None:
    job = f"job {run.job_name}"
    for each in instance.get_run_step_stats(run.run_id):
        if each.status is StepEventStatus.SUCCESS:
            store.set_passed(each.step_key)
    for name in _asset_keys(instance, run, dg.DagsterEventType.ASSET_MATERIALIZATION):
        store.set_passed(name)  # one of several assets of a step
    if run.status is dg.DagsterRunStatus.SUCCESS:
        store.set_passed(job)
    if run.status is dg.DagsterRunStatus.FAILURE:
        _record_failure(instance, store, run, job)


def _record_failure(instance: dg.DagsterInstance, store: AlertStore, run: dg.DagsterRun, job: str) -> None:
    decided = _decided(run)
    affected = decided or _affected(instance, run)
    failed = _failed_steps(instance, run)
    for step, cause in _causes(failed, _failed_checks(instance, run)):
        if cause is None:  # a guard stopped a plan, which has an alert of its own
            store.set_passed(step)
            continue
        for name in [f"{SYNC}{each}" for each in decided] or [step]:
            store.set_failed(name, run.run_id, *cause, affected)
    if not failed:
        text = "the run ended without an error: its process was killed or could not start"
        for name in [f"{SYNC}{each}" for each in affected] or [job]:
            store.set_failed(name, run.run_id, "no error", text, [name.removeprefix(SYNC)] if affected else [])


def _failed_steps(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[tuple[str, dg.DagsterEvent]]:
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)]
    return [(event.step_key, event) for event in events if event and event.step_key]


def _causes(
    failures: Sequence[tuple[str, dg.DagsterEvent]], checks: Mapping[str, Sequence[tuple[str, str]]]
) -> Iterator[tuple[str, Cause | None]]:
    """Each failed step, or each failed asset of a step that makes several, with its cause."""
    for step, event in failures:
        if is_expected(event):
            continue  # whatever the step did before is as it was
        if tables := failed_assets(event):
            for table, text in tables.items():
                is_check = text.startswith("check ")
                yield table, Cause(f"{table} {text.split(':')[0]}", f"{table}: {text}") if is_check else cause_of(text)
            continue
        failed = checks.get(step, [])
        if any(name == GUARD for name, _ in failed):
            yield step, None
        elif failed:
            name, text = failed[0]
            yield step, Cause(f"{step} {name}", f"{step}: check {name}: {text}")
        else:
            yield step, _cause(event)


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
    """The root cause in our own error's text, or the class name of any other error."""
    failure = event.step_failure_data
    text = failure.user_failure_data.description if failure.user_failure_data else None
    if text:
        return cause_of(text)
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    name = error.cls_name if error else "an error"
    return Cause(f"{event.step_key} {name}", f"{event.step_key}: {name}; see the run's log in the UI")


def cause_of(text: str) -> Cause:
    """Return `system: operation: reason` without the operation: other operations fail for the same reason."""
    parts = " ".join(text.split()).split(": ")
    if len(parts) > 1 and "__" in parts[0]:
        parts = parts[1:]  # the workflow is among the affected ones
    if len(parts) >= 3 and parts[0] in SYSTEMS:  # noqa: PLR2004 - system, operation, reason
        parts = [parts[0], *parts[2:]]
    cause = ": ".join(parts)[:MAX_TEXT]
    return Cause(re.sub(r"\d+", "#", cause), cause)


def _affected(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    """The workflows that the run should have synced and did not."""
    planned = _asset_keys(instance, run, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    made = _asset_keys(instance, run, dg.DagsterEventType.ASSET_MATERIALIZATION)
    return sorted(name.removeprefix(SYNC) for name in planned - made if name.startswith(SYNC))


def _decided(run: dg.DagsterRun) -> list[str]:
    """The workflow of which a person sent a plan or a record, as the run's settings or tags name it."""
    if run.job_name not in SENDING:
        return []
    ops: Any = run.run_config.get("ops") or {}
    configs = [(op or {}).get("config") or {} for op in ops.values()]
    named = {str(each["workflow"]) for each in configs if each.get("workflow")}
    return sorted(named | {value for name, value in run.tags.items() if name == WORKFLOW_TAG})


def _asset_keys(instance: dg.DagsterInstance, run: dg.DagsterRun, kind: dg.DagsterEventType) -> set[str]:
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id, of_type=kind)]
    return {event.asset_key.to_user_string() for event in events if event and event.asset_key}


def run_alerts(store: AlertStore, active: Collection[str]) -> list[Alert]:
    """Return one alert per root cause, with every workflow or step that it affects.

    A workflow that is not active is left out: no later run of it would close the alert.
    """
    grouped: dict[str, tuple[str, dict[str, None], dict[str, None]]] = {}
    for step, run_id, key, cause, workflows in store.failed_steps():
        affected = [each for each in workflows if each in active]
        if workflows and not affected:
            continue
        _, names, runs = grouped.setdefault(key, (cause, {}, {}))
        names.update(dict.fromkeys(affected or [step]))
        runs.update(dict.fromkeys([f"run {run_id[:8]}"]))
    return [
        Alert(Kind.FAILED, key, cause, tuple(names), (", ".join(list(runs)[:8]),))
        for key, (cause, names, runs) in grouped.items()
    ]


def check_alerts(instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey], account: str = "") -> list[Alert]:
    """Return an alert per failed reconciliation check; their texts contain counts and causes only."""
    found = []
    for key in checks:
        evaluation = last_result(instance, key, account)
        if evaluation is not None and not evaluation.passed:
            workflow = key.asset_key.to_user_string().removeprefix("sync_")
            cause = f"{workflow}: {evaluation.description}"
            found.append(Alert(Kind.UNRECONCILED, workflow, cause, (workflow,)))
    return found


def last_result(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, account: str = ""
) -> dg.AssetCheckEvaluation | None:
    """Return a check's newest result; a run that is in progress, or that died before the check, has none."""
    limit = MAX_EVALUATIONS_OF_ALL if account else MAX_EVALUATIONS
    for record in instance.event_log_storage.get_asset_check_execution_history(check_key=key, limit=limit):
        if isinstance(record.evaluation, dg.AssetCheckEvaluation) and _is_of(instance, record.run_id, account):
            return record.evaluation
    return None


def _is_of(instance: dg.DagsterInstance, run_id: str, account: str) -> bool:
    """Return whether a run belongs to an account; partitions of Dagster's checks are still in preview."""
    run = instance.get_run_by_id(run_id) if account else None
    return not account or (run is not None and run_tags(account).items() <= run.tags.items())
