"""Alerts: one notice per change and root cause, never lost, without secrets and names of persons."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets.delivery.ledger.runs import update_run
from assets.delivery.ledger.sequence import next_position
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.schemas import MISSING
from assets.delivery.spec.workflow import Workflow
from assets.failures import dagster_failure
from assets.netsuite.extract.read_warnings import ABSENT
from orchestration.alerts.conditions import Limits
from orchestration.alerts.notify import CheckResult
from orchestration.alerts.run_failures import cause_of
from orchestration.alerts.sensor import check
from orchestration.alerts.store import AlertStore
from orchestration.automation.groups import APPLY_PLAN, REALTIME, RESEND_RECORD, UNDO_RUN, WORKFLOW_TAG
from orchestration.cli.alerts import check as check_now
from orchestration.cli.alerts import show
from orchestration.definitions import definitions
from resources.clock import Reading, WallClock
from resources.errors import QuotaExhaustedError
from resources.notifiers.notice import Notice, NotSentError
from resources.warehouse.tables import ensure_table
from resources.warehouse.warehouse import Warehouse
from sql import statement
from tests.assets.delivery.builders import one_source
from tests.orchestration.conftest import QUIET

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
CANARY, TOKEN = "Qanarybird AB", "hunter2-hunter2"
OUTAGE = "netsuite: read {}: HTTP 503 after {} tries"


@dataclass
class Inbox:
    """A receiver that records its notices, or is unreachable."""

    name: str = "memory"
    is_unreachable: bool = False
    received: list[Notice] = field(default_factory=list)

    def send(self, notice: Notice) -> None:
        """Record a notice."""
        if self.is_unreachable:
            raise NotSentError(f"{self.name}: ConnectError")
        self.received.append(notice)


@dataclass(frozen=True)
class SetClock:
    """A clock that was set to a time."""

    moment: datetime
    seconds: float

    def now(self) -> datetime:
        """Return the time that it was set to."""
        return self.moment

    def steady(self) -> Reading:
        """Return the seconds that passed, whatever it was set to."""
        return Reading("this machine", self.seconds)

    def sleep(self, seconds: float) -> None:
        """Return at once."""


@dataclass
class Desk:
    """A warehouse, a Dagster instance and one receiver."""

    instance: dg.DagsterInstance
    warehouse: Warehouse
    path: Path
    inbox: Inbox = field(default_factory=Inbox)
    now: datetime = NOW
    steady_s: float = 0.0
    record_limit: int = 10
    freshness_hours: dict[str, float] = field(default_factory=dict)
    workflows: tuple[str, ...] = ("customers", "projects")

    def check(self) -> CheckResult:
        """Check once; every check opens the store again, as after a restart."""
        workflows = [Workflow(name, one_source()) for name in self.workflows]
        return check(
            self.instance, self.warehouse, self.path, {self.inbox.name: self.inbox}, workflows,
            Limits(self.record_limit, self.freshness_hours), clock=SetClock(self.now, self.steady_s), link="https://ops.example",
        )  # fmt: skip

    def run(self, job: str, steps: dict[str, Callable[[], None]]) -> bool:
        """Run a job of assets with these functions."""
        made = [_asset(name, do) for name, do in steps.items()]
        defs = dg.Definitions(assets=made, jobs=[dg.define_asset_job(job, dg.AssetSelection.assets(*steps))])
        found = defs.resolve_job_def(job)
        return found.execute_in_process(instance=self.instance, raise_on_error=False, run_config=QUIET).success

    def decide(self, code: str, records: int, workflow: str = "customers", action: str = "quarantined") -> None:
        """Set the number of records that are not sent for a reason."""
        with self.warehouse.writer() as con:
            con.execute("delete from sync_decisions where workflow = ? and reason_code = ?", [workflow, code])
            con.execute(
                "insert into sync_decisions (workflow, source, source_id, action, reason_code, reason)"
                " select ?, 'customers', number, ?, ?, ? from range(?) as numbers (number)",
                [workflow, action, code, f"the target rejected {CANARY}", records],
            )

    def plan(self, plan_id: str, state: str, hours: float = 24, workflow: str = "customers") -> None:
        """Add a plan in some state."""
        moment = self.now.replace(tzinfo=None)
        with self.warehouse.writer() as con:
            con.execute("delete from sync_plans where plan_id = ?", [plan_id])
            names = "plan_id, workflow, kind, made_at, expires_at, state, writes, note, clock_origin, clock_s, position"
            end, note = moment + timedelta(hours=hours), f"limits of {CANARY}"
            con.execute(
                f"insert into sync_plans ({names}) values (?, ?, 'sync', ?, ?, ?, 7, ?, 'this machine', ?, ?)",
                [plan_id, workflow, moment, end, state, note, self.steady_s, next_position(con)],
            )

    def finished(self, workflow: str, hours_ago: float) -> None:
        """Add a successful run of a workflow."""
        with self.warehouse.writer() as con:
            ended = self.now.replace(tzinfo=None) - timedelta(hours=hours_ago)
            update_run(con, f"run {hours_ago}", workflow, {"state": "finished", "finished_at": ended})


def _asset(name: str, do: Callable[[], None]) -> dg.AssetsDefinition:
    @dg.asset(name=name)
    def made() -> None:
        do()

    return made


def succeed() -> None:
    """Do nothing."""


def fails(text: str) -> Callable[[], None]:
    """Return a step that fails with this error text."""

    def fail() -> None:
        raise dg.Failure(text, allow_retries=False)

    return fail


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A warehouse before the first run, closed between sections: a test damages its file."""
    warehouse = Warehouse(tmp_path / "warehouse")
    with warehouse.writer() as con:
        ensure_ledger(con)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Desk(instance, warehouse, tmp_path / "alerts.sqlite")


def test_an_outage_that_fails_five_workflows_is_one_notice(desk: Desk) -> None:
    """Five jobs with different tables and numbers of attempts, over three checks."""
    desk.workflows = ("a", "b", "c", "d", "e")
    names = [f"sync_{each}" for each in desk.workflows]
    for number, name in enumerate(names):
        desk.run(f"job_{number}", {name: fails(OUTAGE.format(f"table {name}", number + 3))})
        if number in {1, 3}:
            desk.check()
    last = desk.check()

    assert [each.entries[0].cause for each in desk.inbox.received] == ["netsuite: HTTP 503 after 3 tries"]
    assert desk.inbox.received[0].title == "Millpond: failed: netsuite: HTTP 503 after 3 tries"
    assert desk.inbox.received[0].entries[0].affected == ["a", "b"]
    assert (last.open, last.notice) == (1, None)
    with closing(AlertStore(desk.path)) as store:
        ((alert, _),) = store.open_alerts().values()
    assert alert.affected == ("a", "b", "c", "d", "e")


def test_an_alert_recovers_when_every_step_succeeded_in_any_job(desk: Desk) -> None:
    """Such as in a manual run of another group; one of two steps is not enough."""
    desk.run("nightly", {"sync_customers": fails(OUTAGE.format("x", 3)), "raw": fails(OUTAGE.format("y", 3))})
    desk.check()
    desk.run("manual", {"raw": succeed})
    half = desk.check()
    desk.run("another", {"sync_customers": succeed})
    whole = desk.check()

    assert (half.notice, half.open) == (None, 1)
    assert whole.notice is not None
    assert whole.notice.title == "Millpond: recovered: netsuite: HTTP 503 after 3 tries"
    assert [each.state for notice in desk.inbox.received for each in notice.entries] == ["opened", "recovered"]


@pytest.mark.parametrize(
    ("job_name", "config"), [(RESEND_RECORD, {"workflow": "customers"}), (APPLY_PLAN, {"plan_id": "abc"})]
)
def test_a_decision_that_failed_recovers_when_its_workflow_is_synced(
    desk: Desk, job_name: str, config: dict[str, str]
) -> None:
    """The next run does what a plan that stopped half-way left; no one would repeat it for the alert's sake."""

    @dg.op(config_schema=dict)
    def send(context: dg.OpExecutionContext) -> None:
        if "plan_id" in config:
            context.instance.add_run_tags(context.run_id, {WORKFLOW_TAG: "customers"})
        raise dg.Failure("precoro: update: HTTP 503", allow_retries=False)

    job = dg.GraphDefinition(name=job_name, node_defs=[send]).to_job()
    run_config = {**QUIET, "ops": {"send": {"config": config}}}
    job.execute_in_process(instance=desk.instance, raise_on_error=False, run_config=run_config)
    failed = desk.check()
    desk.run("other", {"sync_projects": succeed})
    kept = desk.check()
    desk.run("nightly", {"sync_customers": succeed})

    assert [(alert.cause, alert.affected) for alert, _ in failed.alerts.values()] == [
        ("precoro: HTTP 503", ("customers",))
    ]
    assert (kept.open, desk.check().open) == (1, 0)


@pytest.mark.parametrize("name", [REALTIME, pytest.param(UNDO_RUN, marks=pytest.mark.long)])
def test_a_failed_run_recovers_with_the_next_one_of_its_job(desk: Desk, name: str) -> None:
    """A run shows the workflows that did not fail, and no sync makes the plan of an undo."""

    def run(problem: str) -> None:
        @dg.op
        def sync_records(context: dg.OpExecutionContext) -> None:
            context.log_event(dg.AssetObservation(asset_key="sync_customers"))
            if problem:
                raise dg.Failure(problem, allow_retries=False)

        job = dg.GraphDefinition(name=name, node_defs=[sync_records]).to_job()
        job.execute_in_process(instance=desk.instance, raise_on_error=False, run_config=QUIET)

    run("projects: precoro: update: HTTP 503")
    failed = desk.check()
    run("")

    assert [alert.affected for alert, _ in failed.alerts.values()] == [("sync_records",)]
    assert desk.check().open == 0


def test_a_failed_run_of_a_workflow_that_was_switched_off_is_no_alert(desk: Desk) -> None:
    """No run of it will ever succeed; where another workflow failed with it, the alert is about that one."""
    desk.run("nightly", dict.fromkeys(("sync_customers", "sync_projects"), fails("precoro: read: HTTP 503")))
    both = desk.check()
    desk.workflows = ("projects",)
    one = desk.check()
    desk.workflows = ()
    none = desk.check()

    found = [[alert.affected for alert, _ in each.alerts.values()] for each in (both, one, none)]
    assert found == [[("customers", "projects")], [("projects",)], []]


def test_two_causes_in_one_run_are_two_entries_of_one_notice(desk: Desk) -> None:
    """One message shows both."""
    steps = {
        "sync_customers": fails("suiteprojects__customers: suiteprojects: send: HTTP 500"),
        "sync_x": fails("precoro: list: HTTP 401"),
    }
    desk.run("nightly", steps)
    desk.check()

    (notice,) = desk.inbox.received
    assert notice.title == "Millpond: 2 failed"
    assert [each.cause for each in notice.entries] == ["suiteprojects: HTTP 500", "precoro: HTTP 401"]
    assert notice.text.splitlines()[0] == "failed: suiteprojects: HTTP 500"
    assert notice.text.endswith("https://ops.example")


def test_records_held_back_for_one_reason_are_one_alert(desk: Desk) -> None:
    """Above the limit, once, until the number is down to half of the limit."""
    desk.decide("rejected_837", 10)
    at_limit = desk.check()
    desk.decide("rejected_837", 11)
    desk.decide("too_long", 2)
    beyond = desk.check()
    desk.decide("rejected_837", 900)
    more = desk.check()
    desk.decide("rejected_837", 6)
    fewer = desk.check()
    desk.decide("rejected_837", 5)
    over = desk.check()

    assert at_limit.notice is None
    assert beyond.notice is not None
    (entry,) = beyond.notice.entries
    assert entry.cause == "customers: 11 records quarantined for the same reason: rejected_837"
    assert entry.lines == ["NetSuite ids 0, 1, 2, 3, 4"]
    assert (more.notice, fewer.notice) == (None, None)
    assert over.notice is not None
    assert over.notice.title.startswith("Millpond: recovered: customers: 6 records")


def test_one_record_that_netsuite_no_longer_shows_is_an_alert(desk: Desk) -> None:
    """Whatever their number, a person decides, and the alert says how."""
    desk.decide(MISSING, 1)
    one = desk.check()
    desk.decide(MISSING, 0)
    none = desk.check()

    assert one.notice is not None
    (entry,) = one.notice.entries
    assert entry.cause == "customers: 1 record quarantined for the same reason: missing_without_note"
    assert "lifecycle.missing" in entry.lines[1]
    assert none.notice is not None
    assert none.notice.entries[0].state == "recovered"


def test_another_reason_in_the_same_workflow_is_another_alert(desk: Desk) -> None:
    """A workflow with an open alert may have further problems."""
    desk.decide("rejected_837", 20)
    desk.check()
    desk.decide("too_long", 30)
    second = desk.check()

    assert second.notice is not None
    assert [each.cause for each in second.notice.entries] == [
        "customers: 30 records quarantined for the same reason: too_long"
    ]


def test_unverified_sends_count_until_they_are_checked(desk: Desk) -> None:
    """The next run checks the target for lost responses; until then they are unverified."""
    desk.record_limit = 0
    with desk.warehouse.writer() as con:
        for state in ("intent", "unknown"):
            con.execute(
                "insert into sync_attempts (attempt_id, state, workflow, source_id) values ('1', ?, 'customers', '7')",
                [state],
            )
    lost = desk.check()
    with desk.warehouse.writer() as con:
        con.execute(
            "insert into sync_attempts (attempt_id, state, workflow, source_id) values ('1', 'found', 'customers', '7')"
        )
    checked = desk.check()

    assert lost.notice is not None
    assert lost.notice.entries[0].cause == "customers: 1 record sent for the same reason: no usable response"
    assert checked.notice is not None
    assert checked.notice.entries[0].state == "recovered"


def test_failed_records_without_a_response_are_one_alert(desk: Desk) -> None:
    """A lost response fails its record, and each of the two had an alert of its own."""
    desk.record_limit = 0
    desk.decide("unknown", 1, action="failed")
    with desk.warehouse.writer() as con:
        con.execute(
            "insert into sync_attempts (attempt_id, state, workflow, source_id) values"
            " ('1', 'unknown', 'customers', '0')"
        )

    found = desk.check()

    assert found.notice is not None
    (entry,) = found.notice.entries
    assert entry.cause == "customers: 1 record failed for the same reason: unknown"


def test_a_plan_that_needs_approval_is_one_alert_with_both_commands(desk: Desk) -> None:
    """Also when every run makes another plan; it recovers when the plans are sent, rejected or expired."""
    desk.plan("aaa", "waiting")
    first = desk.check()
    desk.plan("bbb", "waiting")
    second = desk.check()
    desk.plan("aaa", "rejected")
    desk.plan("bbb", "sent")
    third = desk.check()

    assert first.notice is not None
    assert first.notice.title == "Millpond: waiting: customers: plan aaa of 7 records needs approval"
    assert "`millpond apply aaa` sends it" in first.notice.text
    assert second.notice is None
    assert third.notice is not None
    assert third.notice.title.startswith("Millpond: recovered: customers: plan")


@pytest.mark.parametrize("days", [-2, 2])
def test_a_plan_waits_as_long_as_it_can_be_sent_whatever_the_clock_is_set_to(desk: Desk, days: int) -> None:
    """Its age is counted by the steady clock, as when it is sent; of several the newest is named."""
    desk.plan("aaa", "waiting")
    desk.now, desk.steady_s = NOW + timedelta(days=days), 60.0
    desk.plan("bbb", "waiting")

    waiting = desk.check()
    desk.steady_s = 25 * 3600.0
    expired = desk.check()

    assert waiting.notice is not None
    assert "plan bbb and 1 older one" in waiting.notice.title
    assert expired.open == 0


@pytest.mark.parametrize("state", ["ready", "sent", "rejected"])
def test_a_plan_that_a_newer_one_replaced_needs_no_approval(desk: Desk, state: str) -> None:
    """The newer one is within the guards, or was decided."""
    desk.plan("aaa", "waiting")
    assert desk.check().open == 1
    desk.plan("bbb", state)

    replaced = desk.check()

    assert replaced.notice is not None
    assert replaced.notice.title.startswith("Millpond: recovered: customers: plan aaa")


def test_a_clock_that_was_set_back_hides_no_stale_workflow(desk: Desk) -> None:
    """The last run seems to end in the future: how long ago it was is not known."""
    desk.freshness_hours = {"customers": 24}
    desk.finished("customers", 0)
    assert desk.check().open == 0
    desk.now -= timedelta(days=3)

    found = desk.check()

    assert found.notice is not None
    assert found.notice.entries[0].kind == "stale"


def test_a_failed_guard_check_is_no_second_alert(desk: Desk) -> None:
    """The plan that it stopped is the alert."""

    @dg.asset(name="plan_customers", check_specs=[dg.AssetCheckSpec("guard", asset="plan_customers", blocking=True)])
    def plan() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="guard", passed=False)])

    dg.materialize([plan], instance=desk.instance, raise_on_error=False, run_config=QUIET)
    found = desk.check()

    assert (found.open, found.notice) == (0, None)


def test_another_failed_blocking_check_is_a_failure_with_its_description(desk: Desk) -> None:
    """Descriptions of checks never quote record contents."""

    @dg.asset(name="mart_x", check_specs=[dg.AssetCheckSpec("rows_accounted_for", asset="mart_x", blocking=True)])
    def mart() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it
        result = dg.AssetCheckResult(
            check_name="rows_accounted_for", passed=False, description="3 rows for 4 source records"
        )
        return dg.MaterializeResult(check_results=[result])

    dg.materialize([mart], instance=desk.instance, raise_on_error=False, run_config=QUIET)
    found = desk.check()

    assert found.notice is not None
    assert found.notice.entries[0].cause == "mart_x: check rows_accounted_for: 3 rows for 4 source records"


def test_a_stale_workflow_is_an_alert_until_its_next_run(desk: Desk) -> None:
    """By the warehouse's clock and the `freshness_hours` of groups.yaml; without them a workflow is never stale."""
    desk.freshness_hours = {"customers": 26.0}
    desk.finished("customers", 1)
    desk.finished("projects", 1)
    young = desk.check()
    desk.now += timedelta(hours=26)
    old = desk.check()
    desk.finished("customers", 0)
    again = desk.check()

    assert young.notice is None
    assert old.notice is not None
    assert old.notice.title.startswith(
        "Millpond: stale: customers: last updated at 2026-11-22 01:00 UTC; the limit is 26 hours"
    )
    assert again.notice is not None
    assert again.notice.entries[0].state == "recovered"


def test_a_failed_workflow_is_no_second_alert_when_it_becomes_stale(desk: Desk) -> None:
    """It is the same incident."""
    desk.freshness_hours = {"customers": 26.0}
    desk.finished("customers", 1)
    desk.run("nightly", {"sync_customers": fails(OUTAGE.format("x", 3))})
    desk.check()
    desk.now += timedelta(hours=30)

    assert desk.check().notice is None
    assert len(desk.inbox.received) == 1


def test_an_unreachable_receiver_gets_its_notices_later(desk: Desk) -> None:
    """In order and once each, also by another process."""
    desk.inbox.is_unreachable = True
    desk.run("nightly", {"sync_customers": fails(OUTAGE.format("x", 3))})
    first = desk.check()
    desk.run("nightly", {"sync_customers": succeed})
    second = desk.check()
    desk.inbox.is_unreachable = False
    third, fourth = desk.check(), desk.check()

    assert first.text == (
        "1 open; new notice: Millpond: failed: netsuite: HTTP 503 after 3 tries; not delivered: memory: ConnectError"
    )
    assert second.notice is not None
    assert (third.delivered, fourth.delivered) == (2, 0)
    assert [each.entries[0].state for each in desk.inbox.received] == ["opened", "recovered"]
    assert third.text == "0 open; nothing changed; 2 delivered"


def test_a_check_that_dies_is_repeated(desk: Desk) -> None:
    """Changes and their notice are stored together or not at all."""
    desk.run("nightly", {"sync_customers": fails(OUTAGE.format("x", 3))})
    workflows = [Workflow("customers", one_source())]

    class Dying(WallClock):
        def now(self) -> datetime:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(
            desk.instance, desk.warehouse, desk.path, {"memory": desk.inbox}, workflows, Limits(10, {}),
            clock=Dying(),
        )  # fmt: skip
    after = desk.check()

    assert after.notice is not None
    assert len(desk.inbox.received) == 1


def test_an_unreadable_warehouse_is_an_alert_and_closes_none(desk: Desk) -> None:
    """An alert that cannot be checked has not recovered."""
    desk.decide("rejected_837", 20)
    desk.check()
    content = desk.warehouse.file.read_bytes()
    desk.warehouse.file.write_bytes(b"not a database" * 1000)
    unreadable = desk.check()
    desk.warehouse.file.write_bytes(content)
    readable = desk.check()

    assert unreadable.notice is not None
    assert unreadable.notice.title == "Millpond: failed: the warehouse cannot be read: WarehouseError"
    assert unreadable.open == 2
    assert readable.notice is not None
    assert [each.state for each in readable.notice.entries] == ["recovered"]


def test_no_secret_and_no_name_is_reported(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets' reasons quote values and exceptions quote anything: neither reaches a notice."""
    monkeypatch.setenv("SUITEPROJECTS_PASSWORD", TOKEN)
    desk.record_limit = 0
    desk.decide("rejected_837", 3)
    desk.plan("aaa", "waiting")

    def crash() -> None:
        raise ValueError(f"could not convert {CANARY} <anna@example.com>")

    desk.run(
        "nightly",
        {"sync_customers": crash, "sync_x": fails(f"netsuite: sign in: {TOKEN} for anna@example.com refused")},
    )
    desk.check()

    sent = json.dumps([each.text + each.title for each in desk.inbox.received])
    assert "sync_customers: ValueError; see the run's log in the UI" in sent
    assert "netsuite: <SUITEPROJECTS_PASSWORD> for <address> refused" in sent
    everything = [sent.encode(), json.dumps([str(each) for each in desk.inbox.received]).encode()]
    assert [text for text in (CANARY, TOKEN, "anna@") if any(text.encode() in each for each in everything)] == []


def test_a_run_that_ends_without_an_error_is_an_alert(desk: Desk) -> None:
    """Killed, out of memory, a power failure: no step failed. The job's next success is the recovery."""
    run = desk.instance.create_run_for_job(
        dg.Definitions(assets=[_asset("raw", succeed)], jobs=[dg.define_asset_job("nightly", "raw")]).resolve_job_def(
            "nightly"
        )
    )
    desk.instance.report_run_failed(run, message=f"terminated {CANARY}")
    dead = desk.check()
    desk.run("nightly", {"raw": succeed})
    again = desk.check()

    assert dead.notice is not None
    assert dead.notice.entries[0].cause == "the run ended without an error: its process was killed or could not start"
    assert again.notice is not None
    assert again.notice.entries[0].state == "recovered"


def test_a_killed_run_has_recovered_once_another_job_synced_its_workflows(desk: Desk) -> None:
    """A person who started one workflow, and whose terminal died, does not start the same again: the night does it."""
    assets = [_asset(name, succeed) for name in ("sync_customers", "sync_projects")]
    jobs = [dg.define_asset_job("evening", dg.AssetSelection.assets("sync_customers", "sync_projects"))]
    run = desk.instance.create_run_for_job(dg.Definitions(assets=assets, jobs=jobs).resolve_job_def("evening"))
    desk.instance.report_run_failed(run)
    dead = desk.check()
    desk.run("customers", {"sync_customers": succeed})
    half = desk.check()
    desk.run("nightly", {"sync_customers": succeed, "sync_projects": succeed})
    again = desk.check()

    assert dead.notice is not None
    assert dead.notice.entries[0].affected == ("customers", "projects")
    assert half.open == 1
    assert again.notice is not None
    assert again.notice.entries[0].state == "recovered"


def test_a_planned_check_keeps_its_last_result(desk: Desk) -> None:
    """While the nightly job is in progress, or after it died."""
    results = [False]

    @dg.asset_check(asset="sync_customers", name="reconciled")
    def reconciled() -> dg.AssetCheckResult:
        if not results:
            raise dg.Failure("netsuite: read: HTTP 500", allow_retries=False)
        return dg.AssetCheckResult(passed=results.pop(), description="compared up to now: 1 unexplained differences")

    made = dg.Definitions(
        assets=[_asset("sync_customers", succeed)], asset_checks=[reconciled],
        jobs=[dg.define_asset_job("reconcile", dg.AssetSelection.all_asset_checks())],
    )  # fmt: skip
    job = made.resolve_job_def("reconcile")
    job.execute_in_process(instance=desk.instance, run_config=QUIET)
    first = desk.check()
    job.execute_in_process(instance=desk.instance, raise_on_error=False, run_config=QUIET)
    second = desk.check()

    assert first.notice is not None
    assert first.notice.title == "Millpond: unreconciled: customers: compared up to now: 1 unexplained differences"
    assert second.notice is not None
    assert [(each.kind, each.state) for each in second.notice.entries] == [("failed", "opened")]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("netsuite: read customers: HTTP 503 after 6 tries", "netsuite: HTTP # after # tries"),
        ("suiteprojects__customers: suiteprojects: send: HTTP 500", "suiteprojects: HTTP #"),
        ("precoro: list options: HTTP 429: day limiter", "precoro: HTTP #: day limiter"),
        (
            "precoro__options: another run has been writing to precoro for over an hour",
            "another run has been writing to precoro for over an hour",
        ),
        ("something else", "something else"),
    ],
)
def test_a_root_cause_is_the_system_and_its_reason(text: str, key: str) -> None:
    """Without the operation and with numbers masked."""
    assert cause_of(text).key == key


def test_a_warning_of_netsuites_last_read_is_an_alert_until_a_read_without_it(desk: Desk) -> None:
    """Runs continue without what NetSuite left out, and the summary of a scheduled run is rarely read."""

    def read(day: int, *warnings: str) -> None:
        with desk.warehouse.writer() as con:
            ensure_table(con, statement("ledger", "netsuite_reads"))
            con.execute(
                "insert into netsuite_reads (record_type, read_at, mode, warnings) values ('customers', ?, 'full', ?)",
                [datetime(2026, 11, day), list(warnings)],  # noqa: DTZ001 - as in the table, UTC without a zone
            )

    read(20, "column customer.fax does not exist in NetSuite; skipped")
    desk.check()
    desk.check()
    read(21)
    desk.check()

    opened, resolved = desk.inbox.received
    assert "NetSuite customers: the last read has warnings" in str(opened)
    assert "column customer.fax does not exist in NetSuite; skipped" in str(opened)
    assert "NetSuite customers" in str(resolved)


def test_records_that_netsuite_no_longer_shows_are_no_alert_of_the_read(desk: Desk) -> None:
    """A workflow decides about each, and has its own alert; records that are only looked up have no decisions."""
    with desk.warehouse.writer() as con:
        ensure_table(con, statement("ledger", "netsuite_reads"))
        con.execute(
            "insert into netsuite_reads (record_type, read_at, mode, warnings) values ('customers', ?, 'full', ?)",
            [NOW.replace(tzinfo=None), [f"4 records {ABSENT}; the role may have lost access to them: 1, 2, 3, 4"]],
        )
    undecided = desk.check()
    desk.decide("deactivated", 1)
    decided = desk.check()

    assert undecided.notice is not None
    assert undecided.notice.entries[0].cause == "NetSuite customers: the last read has warnings"
    assert decided.open == 0


def test_a_check_that_fails_is_an_alert(desk: Desk) -> None:
    """Whatever the reason; the alerts of the warehouse that were open stay open."""
    desk.decide("not_in_list", 11)
    desk.check()
    with desk.warehouse.writer() as con:
        con.execute("alter table sync_plans rename column writes to written")
    failed = desk.check()
    with desk.warehouse.writer() as con:
        con.execute("alter table sync_plans rename column written to writes")
    repaired = desk.check()

    assert failed.open == 2
    assert failed.notice is not None
    assert failed.notice.entries[0].cause == "the warehouse cannot be checked for alerts: BinderException"
    assert repaired.open == 1


def test_no_alert_is_listed_as_calm_only_after_a_check(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first check, and when the last one is ten minutes old, the list says so instead."""
    monkeypatch.setenv("MILLPOND_HOME", str(desk.path.parent))
    store = AlertStore(desk.path)
    assert (show(), "nothing has been checked yet" in " ".join(capsys.readouterr().out.split())) == (1, True)
    store.set_checked(datetime.now(UTC).timestamp())
    assert (show(), "no open alerts at the last check, 20" in capsys.readouterr().out) == (0, True)
    for seconds in (-601, 601):
        store.set_checked(datetime.now(UTC).timestamp() + seconds)
        assert (show(), "does the service run?" in " ".join(capsys.readouterr().out.split())) == (1, True)
    store.close()


def test_a_check_by_command_without_a_receiver_leaves_what_changed_to_the_service(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as in a shell without the service's settings: the service still opens the alert, and sends it."""
    monkeypatch.setenv("MILLPOND_HOME", str(desk.path.parent))
    monkeypatch.setenv("DAGSTER_HOME", str(desk.path.parent))
    assert check_now() == 0
    assert "no open alerts" in capsys.readouterr().out
    desk.workflows = ("suiteprojects__customers",)
    desk.decide("not_in_list", 11, *desk.workflows)

    assert check_now() == 1
    assert "11 records quarantined" in " ".join(capsys.readouterr().out.split())
    assert desk.check().notice is not None
    assert len(desk.inbox.received) == 1


def test_a_quota_that_is_used_up_is_no_failed_run(desk: Desk) -> None:
    """A run that begins on a quota day cannot read the target; the next one after that day does."""

    def read_target() -> None:
        with dagster_failure():
            raise QuotaExhaustedError("precoro", "GET /options", "HTTP 429: Daily limiter")

    assert not desk.run("customers", {"target_customers": read_target})

    assert desk.check().open == 0


RECORD = {"workflow": "suiteprojects__customers", "source": "customers", "source_id": "1"}
REFUSED: dict[str, tuple[str, dict[str, object]]] = {  # each by an empty warehouse
    "apply_plan": ("apply", {"plan_id": "abc", "reason": "x"}),
    "reject_plan": ("reject", {"plan_id": "abc", "reason": "x"}),
    "undo_run": ("undo", {"run": "abc", "reason": "x"}),
    "link_record": ("link", {**RECORD, "target_id": "2"}),
    "unlink_record": ("unlink", RECORD),
    "resend_record": ("resend", {**RECORD, "workflow": "unknown", "reason": "x"}),
    "ignore_records": ("ignore", {"workflow": "unknown", "source": "customers", "until": "soon", "reason": "x"}),
    "forget_record": ("forget", {"source": "contacts", "source_id": "1", "reason": "x"}),
    "activate_workflow": ("activate", {"workflow": "unknown", "reason": "x"}),
}


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "job", ["apply_plan", *(pytest.param(each, marks=pytest.mark.long) for each in REFUSED if each != "apply_plan")]
)
def test_a_decision_that_was_refused_is_no_failed_run(desk: Desk, job: str) -> None:
    """The person who decided reads why; the alert of an earlier failure of the step stays."""
    op, config = REFUSED[job]
    desk.run("earlier", {op: fails("precoro: update: HTTP 503")})
    desk.check()

    run_config = {**QUIET, "ops": {op: {"config": config}}}
    decision = definitions().resolve_job_def(job)
    result = decision.execute_in_process(instance=desk.instance, raise_on_error=False, run_config=run_config)

    assert not result.success
    assert [alert.cause for alert, _ in desk.check().alerts.values()] == ["precoro: HTTP 503"]
