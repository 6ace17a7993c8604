"""A night on a fast clock: schedules, change sensor, faults, a guard, alerts, recovery, reconciliation.

Every quarter of an hour what the daemon would do is done: due schedules and sensors are evaluated, the runs that they
ask for are run in this process, and the alert sensor looks. `HAPPENINGS` says what people and systems do meanwhile.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from assets.delivery.spec.switches import Switches
from orchestration.alerts.run_failures import last_answer
from orchestration.definitions import definitions
from orchestration.operator_jobs.apply_plan import OP, RELEASE
from orchestration.realtime.job import REALTIME
from orchestration.realtime.queue import NotificationQueue
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.generator.seed import seed
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.orchestration.bad_day import environment
from tests.orchestration.conftest import QUIET, Home, at_home, edited_workflows
from tests.resources.notifiers.listening import Posted, http_server

pytestmark = pytest.mark.long

GROUP, CUSTOMERS = "customers", "suiteprojects__customers"
GROUPS = """
reconcile: {hours: [06:00], on: true}
groups:
  customers:
    workflows: [suiteprojects__customer_department, suiteprojects__customers, precoro__options]
    schedule: {weekdays: [mon, tue], hours: [01:00], timezone: UTC, on: true}
    sensor: {every_s: 900, on: true}
    fresh_h: 5
"""
SETTINGS = {"MILLPOND_ALERT_HELD": "2", "MILLPOND_REALTIME_WAIT_S": "0", "MILLPOND_REALTIME_LINGER_S": "0"}
EVENING, STEP = datetime(2026, 11, 16, 21, 0, tzinfo=UTC), timedelta(minutes=15)
END = datetime(2026, 11, 17, 13, 0, tzinfo=UTC)


@dataclass
class Daemon:
    """What the daemon does, on the sandbox's clock."""

    home: Home
    instance: dg.DagsterInstance
    posted: Posted
    loaded: dg.Definitions
    cursors: dict[str, str | None] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    last: datetime = EVENING

    def tick(self, now: datetime) -> None:
        """Everything that is due by now."""
        self.home.sandbox.clock.advance_to(now)  # type: ignore[attr-defined]  # the sandbox's own clock
        for schedule in self.loaded.schedules or []:
            assert isinstance(schedule, dg.ScheduleDefinition)
            if schedule.default_status is dg.DefaultScheduleStatus.RUNNING:
                for due in self._due(schedule, now):
                    self._scheduled(schedule, due)
        for _ in self.sensor("change_notifications").run_requests or []:
            self.note(now, "change notifications", self.run(REALTIME))
        self._changes(now)
        self.last = now
        self.note(now, "alerts", self.sensor("alerts").skip_message or "")

    def _due(self, schedule: dg.ScheduleDefinition, now: datetime) -> Iterator[datetime]:
        """As the daemon finds it: by the same iterator, once each."""
        zone = schedule.execution_timezone
        for each in schedule_execution_time_iterator(self.last.timestamp() + 1, schedule.cron_schedule, zone):
            if each.timestamp() > now.timestamp():
                return
            yield each.astimezone(UTC)

    def _scheduled(self, schedule: dg.ScheduleDefinition, due: datetime) -> None:
        context = dg.build_schedule_context(
            instance=self.instance, scheduled_execution_time=due, repository_def=self.loaded.get_repository_def()
        )
        tick = schedule.evaluate_tick(context)
        for _ in tick.run_requests or []:
            self.note(due, schedule.name, self.run(schedule.job_name))

    def _changes(self, now: datetime) -> None:
        tick = self.sensor(f"{GROUP}_changes")
        for request in tick.run_requests or []:
            self.note(now, "sensor", f"{request.tags['millpond/because']}: {self.run(GROUP)}")
        if tick.skip_message and not tick.skip_message.startswith("nothing new"):
            self.note(now, "sensor", tick.skip_message)

    def sensor(self, name: str) -> Any:
        """One evaluation; the cursor is kept as Dagster keeps it."""
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
        """A run, in this process."""
        found = self.loaded.resolve_job_def(job)
        result = found.execute_in_process(
            instance=self.instance, raise_on_error=False, run_config={**QUIET, **(config or {})}
        )
        return "success" if result.success else "failure"

    def note(self, now: datetime, who: str, what: str) -> None:
        """Keep what was done."""
        self.log.append((f"{now:%H:%M} {who}", what))

    def told(self) -> list[tuple[str, str]]:
        """Kind and state of every entry of every message, in order."""
        return [(each["kind"], each["state"]) for _, body in self.posted.got for each in json.loads(body)["entries"]]

    def at(self, when: str) -> str:
        """What was done at a moment by somebody."""
        return "; ".join(what for who, what in self.log if who == when)


def rename(daemon: Daemon) -> str:
    """Somebody edits a customer in NetSuite that is in the target; its id."""
    (key,) = daemon.home.warehouse.read(
        f"select source_id from sync_links where workflow = '{CUSTOMERS}' order by source_id limit 1"
    )["source_id"]
    name = f"Renamed {daemon.home.sandbox.clock.now():%H %M}"
    daemon.home.sandbox.netsuite.update("customer", int(key), companyname=name)
    return str(key)


def saved(daemon: Daemon) -> None:
    """Somebody edits a customer, and NetSuite says so at once."""
    Switches(daemon.home.warehouse.folder).say(CUSTOMERS, realtime=True)
    now = daemon.home.sandbox.clock.now().timestamp()
    NotificationQueue(daemon.home.folder).keep(
        "customers", rename(daemon), is_deleted=False, nonce="23", now=now, remember_s=600
    )


def outage(daemon: Daemon) -> None:
    """NetSuite answers nothing any more."""
    daemon.home.sandbox.faults.plan("netsuite", Fault(FaultKind.REFUSED_500, times=100_000))


def clear(daemon: Daemon) -> None:
    """NetSuite is back."""
    daemon.home.sandbox.faults.clear()


def deactivate(daemon: Daemon) -> None:
    """A mistake in NetSuite: half of the customers go inactive at once."""
    keys = daemon.home.warehouse.read(f"select source_id from sync_links where workflow = '{CUSTOMERS}' order by all")
    for key in keys["source_id"][::2]:
        daemon.home.sandbox.netsuite.update("customer", int(key), isinactive=True)


def approve(daemon: Daemon) -> None:
    """An operator looks at the plan in the morning and releases it, in the UI."""
    (plan,) = daemon.home.warehouse.read(
        f"select plan_id from sync_plans where state = 'waiting' and workflow = '{CUSTOMERS}'"
        " order by made_at desc limit 1"
    )["plan_id"]
    config = {"ops": {OP: {"config": {"plan_id": plan, "why": "they have left"}}}}
    assert daemon.run(RELEASE, config) == "success"


def strict(daemon: Daemon) -> None:
    """SuiteProjects Pro takes only short names from now on, and every customer gets another one."""
    daemon.home.sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, strict_lengths={"Customer.company": 3})
    for row in daemon.home.sandbox.netsuite.rows("customer"):
        daemon.home.sandbox.netsuite.update("customer", row["id"], companyname=f"Longer {row['id']}")


HAPPENINGS: Mapping[str, Callable[[Daemon], Any]] = {
    "23:00": saved,
    "00:45": outage,
    "02:30": clear,
    "02:45": rename,
    "03:30": deactivate,
    "05:00": approve,
    "06:30": strict,
}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """From nine in the evening to one in the afternoon."""
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
            if happens := HAPPENINGS.get(f"{now:%H:%M}"):
                happens(daemon)
            daemon.tick(now)
        yield daemon


def test_the_night_goes_as_it_should(night: Daemon) -> None:
    """What ran, and who asked for it."""
    log = "\n".join(f"{who}: {what}" for who, what in night.log if not what.endswith("nothing changed"))

    assert night.at("21:15 sensor").endswith("(nothing was read yet): success"), log
    assert night.at("23:00 change notifications") == "success", log
    assert night.at("23:15 change notifications") == "", log
    assert night.at("01:00 customers_schedule") == "failure", log
    assert night.at("01:15 sensor").startswith("NetSuite does not say whether anything changed: netsuite: "), log
    assert night.at("02:45 sensor").endswith("success"), log
    assert night.at("03:30 sensor").endswith("failure"), log
    assert night.at("06:00 reconcile_schedule") == "success", log
    assert [who for who, _ in night.log if "schedule" in who] == [
        "01:00 customers_schedule",
        "06:00 reconcile_schedule",
    ], log


def test_each_change_of_state_is_one_message(night: Daemon) -> None:
    """An outage and its end, a plan that waits and its release, records held back, a morning in which nothing ran."""
    log = "\n".join(f"{who}: {what}" for who, what in night.log)

    assert night.told() == [
        ("failed", "opened"),
        ("failed", "recovered"),
        ("waiting", "opened"),
        ("waiting", "recovered"),
        ("degraded", "opened"),
        *[("stale", "opened")] * 3,
    ], log
    ids = [json.loads(body)["notice_id"] for _, body in night.posted.got]
    assert len(set(ids)) == len(ids)


def test_what_netsuite_said_was_sent_at_once(night: Daemon) -> None:
    """By the run that the change notification started, before any run of all."""
    sent = night.home.warehouse.read(
        "select sent.seen_at from sync_attempts as sent join sync_plans as plans on plans.made_by = sent.run_id"
        f" where plans.kind = 'realtime' and sent.state = 'confirmed' and sent.workflow = '{CUSTOMERS}'"
    )

    assert [f"{row[0]:%H}" for row in sent.iter_rows()] == ["23"]


def test_the_night_ends_reconciled(night: Daemon) -> None:
    """Before the last trouble began: identical, nothing unexplained."""
    key = dg.AssetCheckKey(dg.AssetKey(f"sync_{CUSTOMERS}"), "reconciled")
    latest = last_answer(night.instance, key)

    assert latest is not None
    assert latest.passed, latest.description
    assert (latest.description or "").endswith("0 unexplained differences")


def test_nobodys_name_was_told(night: Daemon) -> None:
    """Of all messages of the night."""
    everything = b"".join(body for _, body in night.posted.got).decode()
    names = [row["companyname"] for row in night.home.sandbox.netsuite.rows("customer") if row["companyname"]]

    assert names
    assert [name for name in names if name in everything] == []


def test_a_release_file_is_where_the_runs_wrote_it(night: Daemon) -> None:
    """One report for each run that came to its end."""
    reports = sorted(Path(night.home.warehouse.folder / "reports").glob("*.html"))

    assert len(reports) >= 3
