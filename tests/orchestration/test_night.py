"""One night on a fast clock: schedules, change sensor, faults, a guard, alerts, recovery, reconciliation.

Every 15 minutes the test does what Dagster's daemon would: it evaluates due schedules and sensors, executes the runs
that they request in this process, and evaluates the alert sensor. `EVENTS` lists what people and systems do meanwhile.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from assets.delivery.spec.switches import Switches
from orchestration.alerts.run_failures import last_result
from orchestration.automation.groups import APPLY_PLAN, REALTIME
from orchestration.automation.sensors import REASON_TAG
from orchestration.definitions import definitions
from orchestration.operator_jobs.apply_plan import APPLY_OP
from orchestration.realtime.queue import NotificationQueue
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.generator.seed import seed
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.orchestration.conftest import QUIET, Home, at_home, edited_workflows
from tests.orchestration.home_state import environment
from tests.resources.notifiers.servers import Posted, http_server

pytestmark = pytest.mark.long

GROUP, CUSTOMERS = "customers", "suiteprojects__customers"
GROUPS = """
reconcile: {hours: [06:00], on: true}
groups:
  customers:
    workflows: [suiteprojects__customer_department, suiteprojects__customers, precoro__options]
    schedule: {weekdays: [mon, tue], hours: [01:00], timezone: UTC, on: true}
    sensor: {every_seconds: 900, on: true}
    freshness_hours: 5
"""
SETTINGS = {"MILLPOND_ALERT_RECORD_LIMIT": "2", "MILLPOND_REALTIME_WAIT_S": "0", "MILLPOND_REALTIME_LINGER_S": "0"}
EVENING, STEP = datetime(2026, 11, 16, 21, 0, tzinfo=UTC), timedelta(minutes=15)
END = datetime(2026, 11, 17, 13, 0, tzinfo=UTC)


@dataclass
class Daemon:
    """A substitute for Dagster's daemon, on the sandbox's clock."""

    home: Home
    instance: dg.DagsterInstance
    posted: Posted
    loaded: dg.Definitions
    cursors: dict[str, str | None] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    last: datetime = EVENING

    def tick(self, now: datetime) -> None:
        """Evaluate everything that is due by now."""
        self.home.sandbox.clock.advance_to(now)  # type: ignore[attr-defined]  # the sandbox's own clock
        for schedule in self.loaded.schedules or []:
            assert isinstance(schedule, dg.ScheduleDefinition)
            if schedule.default_status is dg.DefaultScheduleStatus.RUNNING:
                for due in self._due(schedule, now):
                    self._evaluate_schedule(schedule, due)
        for _ in self.evaluate_sensor("change_notifications").run_requests or []:
            self.record(now, "change notifications", self.run(REALTIME))
        self._evaluate_changes(now)
        self.last = now
        self.record(now, "alerts", self.evaluate_sensor("alerts").skip_message or "")

    def _due(self, schedule: dg.ScheduleDefinition, now: datetime) -> Iterator[datetime]:
        """Return the due times since the last tick, from the daemon's own iterator."""
        zone = schedule.execution_timezone
        for each in schedule_execution_time_iterator(self.last.timestamp() + 1, schedule.cron_schedule, zone):
            if each.timestamp() > now.timestamp():
                return
            yield each.astimezone(UTC)

    def _evaluate_schedule(self, schedule: dg.ScheduleDefinition, due: datetime) -> None:
        context = dg.build_schedule_context(
            instance=self.instance, scheduled_execution_time=due, repository_def=self.loaded.get_repository_def()
        )
        tick = schedule.evaluate_tick(context)
        for _ in tick.run_requests or []:
            self.record(due, schedule.name, self.run(schedule.job_name))

    def _evaluate_changes(self, now: datetime) -> None:
        tick = self.evaluate_sensor(f"{GROUP}_changes")
        for request in tick.run_requests or []:
            self.record(now, "sensor", f"{request.tags[REASON_TAG]}: {self.run(GROUP)}")
        if tick.skip_message and not tick.skip_message.startswith("no change"):
            self.record(now, "sensor", tick.skip_message)

    def evaluate_sensor(self, name: str) -> Any:
        """Evaluate a sensor once, and keep its cursor as Dagster does."""
        repository = self.loaded.get_repository_def()
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursors.get(name), repository_def=repository,
            resources=dict(self.loaded.resources or {}),
        )  # fmt: skip
        with context:
            tick = repository.get_sensor_def(name).evaluate_tick(context)
        self.cursors[name] = tick.cursor
        return tick

    def run(self, job: str, config: Mapping[str, Any] | None = None) -> str:
        """Execute a run in this process; return "success" or "failure"."""
        found = self.loaded.resolve_job_def(job)
        result = found.execute_in_process(
            instance=self.instance, raise_on_error=False, run_config={**QUIET, **(config or {})}
        )
        return "success" if result.success else "failure"

    def record(self, now: datetime, source: str, result: str) -> None:
        """Append an entry to the log."""
        self.log.append((f"{now:%H:%M} {source}", result))

    def sent(self) -> list[tuple[str, str]]:
        """Return kind and state of every entry of every notice, in order."""
        return [(each["kind"], each["state"]) for _, body in self.posted.got for each in json.loads(body)["entries"]]

    def at(self, key: str) -> str:
        """Return the results that are logged for a time and a source, as in "01:15 sensor"."""
        return "; ".join(result for logged, result in self.log if logged == key)

    def printed(self) -> str:
        """Return the log without the checks that found no change."""
        return "\n".join(f"{key}: {result}" for key, result in self.log if not result.endswith("nothing changed"))


def rename(daemon: Daemon) -> str:
    """Rename a customer in NetSuite that is in the target; return its id."""
    (key,) = daemon.home.warehouse.read(
        f"select source_id from sync_links where workflow = '{CUSTOMERS}' order by source_id limit 1"
    )["source_id"]
    name = f"Renamed {daemon.home.sandbox.clock.now():%H %M}"
    daemon.home.sandbox.netsuite.update("customer", int(key), companyname=name)
    return str(key)


def save(daemon: Daemon) -> None:
    """Rename a customer, with a change notification."""
    Switches(daemon.home.warehouse.folder).override(CUSTOMERS, realtime=True)
    now = daemon.home.sandbox.clock.now().timestamp()
    NotificationQueue(daemon.home.folder).add(
        "customers", rename(daemon), is_deleted=False, nonce="23", now=now, remember_s=600
    )


def begin_outage(daemon: Daemon) -> None:
    """Make every NetSuite call fail."""
    daemon.home.sandbox.faults.plan("netsuite", Fault(FaultKind.NOT_APPLIED_500, times=100_000))


def end_outage(daemon: Daemon) -> None:
    """Make NetSuite calls succeed again."""
    daemon.home.sandbox.faults.clear()


def deactivate_half(daemon: Daemon) -> None:
    """Deactivate half of the customers in NetSuite at once, as by mistake."""
    keys = daemon.home.warehouse.read(f"select source_id from sync_links where workflow = '{CUSTOMERS}' order by all")
    for key in keys["source_id"][::2]:
        daemon.home.sandbox.netsuite.update("customer", int(key), isinactive=True)


def approve(daemon: Daemon) -> None:
    """Apply the plan that awaits approval, with the job that an operator starts in the UI."""
    (plan,) = daemon.home.warehouse.read(
        f"select plan_id from sync_plans where state = 'waiting' and workflow = '{CUSTOMERS}'"
        " order by made_at desc limit 1"
    )["plan_id"]
    config = {"ops": {APPLY_OP: {"config": {"plan_id": plan, "reason": "they have left"}}}}
    assert daemon.run(APPLY_PLAN, config) == "success"


def reject_long_names(daemon: Daemon) -> None:
    """Make SuiteProjects Pro reject names of more than 3 characters, and rename every customer."""
    daemon.home.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, strict_lengths={"Customer.company": 3})
    for row in daemon.home.sandbox.netsuite.rows("customer"):
        daemon.home.sandbox.netsuite.update("customer", row["id"], companyname=f"Longer {row['id']}")


EVENTS: Mapping[str, Callable[[Daemon], Any]] = {
    "23:00": save,
    "00:45": begin_outage,
    "02:30": end_outage,
    "02:45": rename,
    "03:30": deactivate_half,
    "05:00": approve,
    "06:30": reject_long_names,
}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Return the daemon after it worked from 21:00 to 13:00."""
    folder = tmp_path_factory.mktemp("night")
    guarded = lambda text: text.replace("{percent: 5, rows: 50}", "{percent: 1, rows: 1}")  # noqa: E731 - an edit
    with (
        at_home(folder / "home") as home,
        edited_workflows(folder / "workflows", GROUPS, **{CUSTOMERS: guarded}),
        http_server() as posted,
        environment(**SETTINGS, MILLPOND_ALERT_WEBHOOK_URL=posted.url),
        dg.DagsterInstance.ephemeral() as instance,
    ):
        seed(home.sandbox, customers=20, companies=None, seed=2)
        daemon = Daemon(home, instance, posted, definitions())
        now = EVENING
        while now < END:
            now += STEP
            if event := EVENTS.get(f"{now:%H:%M}"):
                event(daemon)
            daemon.tick(now)
        yield daemon


def test_schedules_and_sensors_start_the_expected_runs(night: Daemon) -> None:
    """The log shows each run and what requested it."""
    log = night.printed()

    assert night.at("21:15 sensor").endswith("(nothing was read yet): success"), log
    assert night.at("23:00 change notifications") == "success", log
    assert night.at("23:15 change notifications") == "", log
    assert night.at("01:00 customers_schedule") == "failure", log
    assert night.at("01:15 sensor").startswith("NetSuite cannot be checked for changes: netsuite: "), log
    assert night.at("02:45 sensor").endswith("success"), log
    assert night.at("03:30 sensor").endswith("failure"), log
    assert night.at("06:00 reconcile_schedule") == "success", log
    assert [key for key, _ in night.log if "schedule" in key] == [
        "01:00 customers_schedule",
        "06:00 reconcile_schedule",
    ], log


def test_each_change_of_state_sends_one_notice(night: Daemon) -> None:
    """An outage and its end, a plan and its approval, rejected records, a morning without a successful run."""
    assert night.sent() == [
        ("failed", "opened"),
        ("failed", "recovered"),
        ("waiting", "opened"),
        ("waiting", "recovered"),
        ("degraded", "opened"),
        *[("stale", "opened")] * 3,
    ], night.printed()
    ids = [json.loads(body)["notice_id"] for _, body in night.posted.got]
    assert len(set(ids)) == len(ids)


def test_a_change_notification_is_synced_immediately(night: Daemon) -> None:
    """The real-time run sends the change, hours before the next scheduled run."""
    sent = night.home.warehouse.read(
        "select sent.seen_at from sync_attempts as sent join sync_plans as plans on plans.made_by = sent.run_id"
        f" where plans.kind = 'realtime' and sent.state = 'confirmed' and sent.workflow = '{CUSTOMERS}'"
    )

    assert [f"{row[0]:%H}" for row in sent.iter_rows()] == ["23"]


def test_the_night_ends_reconciled(night: Daemon) -> None:
    """The reconciliation at 06:00 found no unexplained difference."""
    key = dg.AssetCheckKey(dg.AssetKey(f"sync_{CUSTOMERS}"), "reconciled")
    latest = last_result(night.instance, key)

    assert latest is not None
    assert latest.passed, latest.description
    assert "0 unexplained differences" in (latest.description or "")


def test_no_notice_contains_a_customer_name(night: Daemon) -> None:
    """Notices identify records by id only."""
    bodies = b"".join(body for _, body in night.posted.got).decode()
    names = [row["companyname"] for row in night.home.sandbox.netsuite.rows("customer") if row["companyname"]]

    assert names
    assert [name for name in names if name in bodies] == []


def test_every_finished_run_has_a_report(night: Daemon) -> None:
    """Each run that reached its end wrote one HTML file."""
    reports = sorted((night.home.warehouse.folder / "reports").glob("*.html"))

    assert len(reports) >= 3
