"""Starts a run for records that were just saved in NetSuite.

hints.sqlite  ->  look()  ->  a run of `realtime`; after a burst a run of `all` instead; or why there is none

Dagster looks at its sensors every five seconds. A hint shall not wait for that, so one look lasts nearly as long as
that takes: it ends with the first hint, or just before the next look begins.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition  # not exported

from assets.delivery.planning import Workflow
from orchestration.hints import FILE, Hint, Hints
from orchestration.jobs import ALL
from orchestration.realtime import REALTIME, by_account, hearing_hints
from orchestration.sensors import BUSY
from resources.warehouse import Warehouse

Job = dg.JobDefinition | UnresolvedAssetJobDefinition
SENSOR = "hints"
POLL_S = 0.2
BURST_TAG = "millpond/hints_up_to"  # of a run of all: the last hint that it answers
# a run that died without a word is not started again at once, and again and again
AFTER_FAILURE_S = 30.0


@dataclass(frozen=True)
class Watch:
    """What the sensor needs to know.

    Attributes:
        folder: Where the hints are.
        workflows: All of them; which ones follow hints is asked at every look.
        burst: When more records wait than this, they are left to a run of all.
        wait_s: How long one look waits for a hint.
    """

    folder: Path
    workflows: Sequence[Workflow]
    burst: int
    wait_s: float

    def look(self, instance: dg.DagsterInstance, warehouse: Warehouse) -> dg.RunRequest | str:
        """One glance: what to run, or why nothing."""
        if not (self.folder / FILE).exists():
            return "no hint was ever kept: start `millpond webhook`"
        hearing = by_account(hearing_hints(warehouse, self.workflows))
        if not hearing:
            return "no workflow follows hints: `millpond activate WORKFLOW --realtime`"
        hints = Hints(self.folder)
        due = hints.due(hearing)
        if not any(due.values()):
            return "no hint waits"
        if instance.get_runs_count(dg.RunsFilter(job_name=REALTIME, statuses=BUSY)):
            return "a run brings records just now; what comes meanwhile is next"
        return self._ask(instance, hints, hearing, due)

    def _ask(
        self, instance: dg.DagsterInstance, hints: Hints, hearing: dict[str, list[Workflow]], due: dict[str, list[Hint]]
    ) -> dg.RunRequest | str:
        records = {hint.key: hint.number for waiting in due.values() for hint in waiting}
        whole = _last(instance, job_name=ALL, with_tag=BURST_TAG)
        if whole is not None and not whole.dagster_run.is_finished:
            return "a run of all answers a burst of hints"
        if whole is not None and whole.dagster_run.is_success:
            answered = int(whole.dagster_run.tags[BURST_TAG])
            for door, waiting in due.items():
                hints.done(door, [hint for hint in waiting if hint.number <= answered], hearing)
            records = {key: number for key, number in records.items() if number > answered}
            if not records:
                return "a run of all answered them"
        # when a run of all failed on a burst, the records go in portions, so that those that can be brought are
        if len(records) > self.burst and (whole is None or whole.dagster_run.is_success):
            up_to = str(max(records.values()))
            return dg.RunRequest(job_name=ALL, tags={BURST_TAG: up_to, "millpond/because": f"{len(records)} hints"})
        last = _last(instance, job_name=REALTIME)
        if last is not None and last.dagster_run.is_failure and time.time() - (last.end_time or 0) < AFTER_FAILURE_S:
            fresh = any(hint.first_at > (last.end_time or 0) for waiting in due.values() for hint in waiting)
            if not fresh:
                return f"the last run failed (run {last.dagster_run.run_id[:8]}); again in a moment"
        return dg.RunRequest(job_name=REALTIME, tags={"millpond/because": f"{len(records)} records saved in NetSuite"})


def _last(instance: dg.DagsterInstance, *, job_name: str, with_tag: str = "") -> dg.RunRecord | None:
    found = instance.get_run_records(dg.RunsFilter(job_name=job_name), limit=20 if with_tag else 1)
    return next((record for record in found if not with_tag or with_tag in record.dagster_run.tags), None)


def hints_sensor(watch: Watch, jobs: Sequence[Job]) -> dg.SensorDefinition:
    """The sensor; the jobs are those that it may run."""

    @dg.sensor(
        name=SENSOR,
        jobs=list(jobs),
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a run for records that NetSuite said were saved; `millpond webhook` takes what it says.",
    )
    def hints(
        context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> dg.RunRequest | dg.SkipReason:
        until = time.monotonic() + watch.wait_s
        while True:
            answer = watch.look(context.instance, warehouse)
            if isinstance(answer, dg.RunRequest):
                return answer
            if time.monotonic() + POLL_S > until or not (watch.folder / FILE).exists():
                return dg.SkipReason(answer)
            time.sleep(POLL_S)

    return hints
