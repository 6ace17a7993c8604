"""Records just saved in NetSuite reach the targets, and nothing else changes."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import dagster as dg
import pytest

from assets.delivery.audit.explain import explain_one, read_through
from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from assets.warehouse.refresh import ParentColumn
from orchestration.automation.groups import REALTIME
from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.connections import Connections
from orchestration.realtime.job import LOCK
from orchestration.realtime.queue import NotificationQueue
from orchestration.realtime.sync_pending import Outcome, RealtimeSync, parent_columns
from orchestration.resource_wiring import resources
from orchestration.workflow_files import load_workflows
from resources.failpoints import arm
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.precoro.switches import PrecoroSwitches
from tests.assets.delivery.builders import one_source, suite_customers
from tests.orchestration.conftest import Home, at_home
from tests.orchestration.expected_targets import target_options

CUSTOMERS, OPTIONS = "suiteprojects__customers", "precoro__options"
REALTIME_WORKFLOWS = (CUSTOMERS, "suiteprojects__projects", "suiteprojects__contacts", OPTIONS)
NO_ADDRESS = {"defaultbillingaddress": None, "defaultshippingaddress": None}  # those of another record are not its own
BOTH = """
select customer_id
from stg_netsuite__customers
where customer_id in (select source_id from sync_links where workflow = 'suiteprojects__customers')
    and customer_id in (select source_id from sync_links where workflow = 'precoro__options' and source = 'customers')
    and not is_inactive and not is_deleted and not is_person and company_name is not null
order by try_cast(customer_id as bigint)
"""


@dataclass
class Live:
    """A home with real-time updates, after a full run."""

    home: Home
    numbers: Iterator[int] = field(default_factory=lambda: count(int(time.time())))

    @property
    def queue(self) -> NotificationQueue:
        """The queue."""
        return NotificationQueue(self.home.folder)

    def customers(self) -> list[int]:
        """Return the customers that both targets have."""
        return [int(row[0]) for row in self.ledger(BOTH)]

    def notify(self, source: str, record_id: int, *, is_deleted: bool = False) -> None:
        """Add a notification as the webhook does."""
        nonce, now = f"nonce-{next(self.numbers)}", time.time()
        assert self.queue.add(source, str(record_id), is_deleted=is_deleted, nonce=nonce, now=now, remember_s=600)

    def rename(self, customer_id: int, name: str) -> None:
        """Rename a customer in NetSuite, and add the script's notification."""
        self.home.sandbox.netsuite.update("customer", customer_id, companyname=name)
        self.notify("customers", customer_id)

    def sync(self, run_id: str = "") -> Outcome:
        """Run a real-time update without Dagster."""
        settings = MillpondSettings()
        workflows, _ = load_workflows(settings.workflows)
        made = resources(settings, workflows)
        names = {each.spec.connection_name for each in workflows}
        with dg.build_resources(
            {name: made[name] for name in ("warehouse", "netsuite", "extraction", *names)}
        ) as opened:
            connections = Connections.of(workflows, opened)
            run_id = run_id or f"change notifications {next(self.numbers)}"
            return RealtimeSync(connections, opened.netsuite, opened.extraction, self.queue, run_id).sync_due(200)

    def ledger(self, query: str) -> list[tuple[Any, ...]]:
        """Return rows of the warehouse."""
        return self.home.warehouse.read(query).rows()

    def confirmed(self, record_id: int) -> set[str]:
        """Return the workflows that had a record confirmed in a real-time run."""
        return {
            row[0]
            for row in self.ledger(
                "select workflow from sync_attempts join sync_runs using (run_id, workflow)"
                " join sync_plans using (plan_id)"
                f" where source_id = '{record_id}' and kind = 'realtime' and sync_attempts.state = 'confirmed'"
            )
        }

    def in_targets(self, name: str) -> tuple[int, int]:
        """Return how many records of this name SuiteProjects Pro and Precoro have."""
        suite = [row for row in self.home.sandbox.suiteprojects.rows("Customer") if row.get("company") == name]
        options = [row for row in target_options(self.home.sandbox) if row["name"] == name]
        return len(suite), len(options)


@contextmanager
def with_realtime(home: Home) -> Iterator[Live]:
    """Activate real-time updates."""
    for name in REALTIME_WORKFLOWS:
        Switches(home.warehouse.folder).override(name, realtime=True)
    yield Live(home)


@pytest.fixture
def live(synced: Home) -> Iterator[Live]:
    """A home after a full run."""
    with with_realtime(synced) as made:
        yield made


def watermarks(live: Live) -> list[tuple[Any, ...]]:
    """Return the watermarks."""
    return live.ledger("select source_table, watermark_at, reconciled_at, run_id from sync_watermarks order by 1")


def test_saved_records_reach_both_targets_and_no_watermark_moves(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a Dagster run: the sync assets show the results, and a normal run still reads the same changes."""
    monkeypatch.setenv("MILLPOND_REALTIME_LINGER_S", "0")
    first, second = live.customers()[:2]
    before = watermarks(live)
    live.rename(first, "Renamed a moment ago")
    live.home.sandbox.netsuite.update("customer", second, companyname="Without notification")

    done = live.home.run(REALTIME)

    assert done.success
    assert live.in_targets("Renamed a moment ago") == (1, 1)
    assert live.in_targets("Without notification") == (0, 0)
    assert live.confirmed(first) == {CUSTOMERS, OPTIONS}
    assert watermarks(live) == before
    assert live.queue.pending() == 0
    seen = [each for each in done.all_events if each.event_type_value == "ASSET_OBSERVATION"]
    observed = {str(each.asset_key.to_user_string()): each for each in seen if each.asset_key}
    assert {f"sync_{CUSTOMERS}", f"sync_{OPTIONS}"} <= observed.keys()
    versions = live.ledger(
        f"select company_name, is_current from hist_netsuite__customers where customer_id = '{first}'"
    )
    assert ("Renamed a moment ago", True) in versions
    assert len(versions) == 2
    with live.home.warehouse.writer(transaction=False) as con:
        explained = explain_one(con, "customers", str(first))
        assert explained is not None
        through = read_through(con, "customers", explained.seen)
    assert through == explained.seen["modified_at"], "explained as read through the change that it shows"


@pytest.mark.long
def test_a_second_run_leaves_the_records_to_the_first(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person, a retry or another daemon started it: it ends at once, and no notification is lost."""
    monkeypatch.setenv("MILLPOND_REALTIME_LINGER_S", "60")
    record = live.customers()[0]
    live.rename(record, "Renamed a moment ago")
    with live.home.warehouse.lock(LOCK, 0):
        assert live.home.run(REALTIME).success
    assert live.queue.pending() == 1
    assert not live.confirmed(record)

    monkeypatch.setenv("MILLPOND_REALTIME_LINGER_S", "0")
    assert live.home.run(REALTIME).success
    assert live.queue.pending() == 0
    assert live.confirmed(record) == {CUSTOMERS, OPTIONS}


@pytest.mark.long
def test_a_new_project_is_synced_with_its_new_customer(live: Live) -> None:
    """Only the project has a notification: the customer's did not arrive."""
    netsuite = live.home.sandbox.netsuite
    old = next(row for row in netsuite.rows("customer") if row["id"] == live.customers()[0])
    number = netsuite.next_id("customer")
    netsuite.insert("customer", [old | NO_ADDRESS | {"id": number, "entityid": "C-new", "companyname": "Brand new"}])
    relation = {"entity": number, "subsidiary": 2, "isprimarysub": True}
    netsuite.insert("customersubsidiaryrelationship", [relation])
    job = next(row for row in netsuite.rows("job"))
    project = netsuite.next_id("job")
    netsuite.insert(
        "job",
        [
            job
            | {"id": project, "entityid": "P-new", "companyname": "Its project", "customer": number, "parent": number}
        ],
    )
    live.notify("projects", project)

    outcome = live.sync()

    assert not outcome.problems
    assert live.in_targets("Brand new") == (1, 1)
    assert live.in_targets("Its project")[1] == 1
    order = [row[0] for row in live.ledger(
        "select source from sync_attempts where workflow = 'precoro__options' and state = 'intent'"
        f" and source_id in ('{number}', '{project}') order by rowid"
    )]  # fmt: skip
    assert order == ["customers", "projects"]


@pytest.mark.long
def test_a_reported_deletion_is_verified_in_netsuite(live: Live) -> None:
    """Reported and gone: deactivated. Reported and present: unchanged. Not reported, or never present: unchanged."""
    parents = {row["customer"] for row in live.home.sandbox.netsuite.rows("job")}
    gone, present, unreported = [each for each in live.customers() if each not in parents][:3]
    live.home.sandbox.netsuite.delete("customer", "customer", gone)
    live.home.sandbox.netsuite.delete("customer", "customer", unreported)
    live.notify("customers", gone, is_deleted=True)
    live.notify("customers", present, is_deleted=True)
    live.notify("customers", unreported)
    live.notify("customers", 999_999_999)

    outcome = live.sync()

    assert not outcome.problems
    state = dict(live.ledger("select customer_id, is_deleted from stg_netsuite__customers"))
    assert (state[str(gone)], state[str(present)], state[str(unreported)]) == (True, False, False)
    acted = dict(live.ledger("select source_id, action from sync_attempts where action = 'deactivate'"))
    assert acted.keys() == {str(gone)}
    assert live.queue.pending() == 0


@pytest.mark.long
def test_an_unreachable_target_keeps_its_notifications_and_delays_no_other(live: Live) -> None:
    """Precoro gets the record at once; SuiteProjects Pro gets it when it responds again."""
    first, second = live.customers()[:2]
    live.home.sandbox.faults.plan("suiteprojects", Fault(FaultKind.NOT_APPLIED_500, times=1000))
    live.rename(first, "While it was down")
    down = live.sync()
    assert [text.partition(":")[0] for text in down.problems] == ["suiteprojects"]
    assert live.in_targets("While it was down") == (0, 1)

    live.home.sandbox.faults.clear()
    live.rename(second, "After it was down")
    fresh = live.sync()
    assert not fresh.problems
    assert live.in_targets("After it was down") == (1, 1)
    again = live.queue.due(["suiteprojects", "precoro"], time.time() + 60)
    assert {
        connection: [notification.record_id for notification in notifications]
        for connection, notifications in again.items()
    } in (
        {"suiteprojects": [str(first)], "precoro": []},
        {"suiteprojects": [], "precoro": []},
    )


@pytest.mark.long
@pytest.mark.parametrize("cause", ["another run is writing", "Daily limiter"])
def test_what_passes_by_itself_is_no_failed_run(live: Live, monkeypatch: pytest.MonkeyPatch, cause: str) -> None:
    """A first load writes for hours, or used up the day's quota: the records are kept, and others are not delayed."""
    monkeypatch.setenv("MILLPOND_REALTIME_LINGER_S", "0")
    monkeypatch.setattr("assets.delivery.realtime.sync_records.WRITER_WAIT_S", 0.05)
    monkeypatch.setattr("orchestration.realtime.queue.FIRST_RETRY_S", 0.0)
    first, second = live.customers()[:2]
    with ExitStack() as stack:
        if cause == "Daily limiter":
            live.home.sandbox.switches.set("precoro", PrecoroSwitches, calls_per_day=1)
        else:
            stack.enter_context(live.home.warehouse.lock("precoro", 0))
        for customer in (first, second):
            live.rename(customer, f"Saved {customer}")
        done = live.home.run(REALTIME)
        again = live.sync()

    assert done.success
    assert [live.in_targets(f"Saved {each}") for each in (first, second)] == [(1, 0), (1, 0)]
    assert not again.problems
    assert cause in again.waits["precoro"]
    assert sorted(each.attempts for each in live.queue.due(["precoro"], time.time() + 600)["precoro"]) == [2, 2]


@pytest.mark.long
def test_every_notification_is_kept_while_netsuite_is_unreachable(live: Live) -> None:
    """Values never come from the notification, so there is nothing to send."""
    live.home.sandbox.faults.plan("netsuite", Fault(FaultKind.NOT_APPLIED_500, times=1000))
    live.notify("customers", live.customers()[0])
    attempts = live.ledger("select count(*) from sync_attempts")

    outcome = live.sync()

    assert len(outcome.problems) == 2
    assert live.queue.pending() == 1
    assert live.ledger("select count(*) from sync_attempts") == attempts


@pytest.mark.long
def test_an_inactive_workflow_is_not_synced(live: Live) -> None:
    """The run checks the state when it decides."""
    key = live.customers()[0]
    switches = Switches(live.home.warehouse.folder)
    switches.override(OPTIONS, realtime=False)
    switches.override(CUSTOMERS, active=False)
    live.rename(key, "Off")
    live.sync()
    assert live.in_targets("Off") == (0, 0)

    switches.override(CUSTOMERS, active=True)
    live.notify("customers", key)
    live.sync()
    assert live.in_targets("Off") == (1, 0)


@pytest.mark.long
@pytest.mark.parametrize(
    "failpoint",
    [
        "bookkeeping_open",
        *(
            pytest.param(each, marks=pytest.mark.long)
            for each in ("notifications_read", "intents_kept", "request_served", "notifications_sent")
        ),
    ],
)
def test_a_killed_run_is_completed_by_the_next(live: Live, failpoint: str) -> None:
    """A notification is completed last, so the record is synced, and only once."""
    netsuite = live.home.sandbox.netsuite
    old = next(row for row in netsuite.rows("customer") if row["id"] == live.customers()[0])
    number = netsuite.next_id("customer")
    netsuite.insert("customer", [old | NO_ADDRESS | {"id": number, "entityid": "C-new", "companyname": "Brand new"}])
    netsuite.insert("customersubsidiaryrelationship", [{"entity": number, "subsidiary": 2, "isprimarysub": True}])
    live.notify("customers", number)
    script = (
        "import sys; from pathlib import Path; from tests.orchestration.realtime.test_realtime import killed;"
        " killed(Path(sys.argv[1]), sys.argv[2])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(live.home.folder), failpoint],
        cwd=ROOT, check=False, capture_output=True,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr.decode()[-2000:]
    assert live.queue.pending() == 1

    assert not live.sync().problems

    assert live.in_targets("Brand new") == (1, 1)
    assert live.queue.pending() == 0
    assert live.ledger("select count(*) from sync_runs where state = 'sending'") == [(0,)]


def killed(folder: Any, failpoint: str) -> None:
    """Run a real-time update in this process, killed at the failpoint."""
    with at_home(folder) as home:
        arm(failpoint)
        Live(home).sync("killed")


@pytest.mark.long
def test_a_run_waits_for_the_next_save(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second record does not wait for a new process to start."""
    monkeypatch.setenv("MILLPOND_REALTIME_LINGER_S", "0.5")
    first, second = live.customers()[:2]
    live.rename(first, "The first")
    arm("notifications_sent", strike=lambda: live.rename(second, "The second"))

    assert live.home.run(REALTIME).success

    assert live.in_targets("The first") == live.in_targets("The second") == (1, 1)
    assert live.queue.pending() == 0


def test_rows_that_are_looked_up_by_their_netsuite_id_are_read_with_the_record() -> None:
    """So are those that these name; a row that is found in another way, or in the target, is not."""
    chained = {
        "table": "stg_netsuite__subsidiaries", "by": "subsidiary_id", "return": "currency_id",
        "then": {"table": "stg_netsuite__currencies", "by": "currency_id", "return": "currency_code"},
    }  # fmt: skip
    by_name = {"table": "stg_netsuite__departments", "by": "name", "return": "department_id"}
    in_target = {"table": "suiteprojects.User", "by": "name", "return": "id"}
    listed = {"table": "stg_netsuite__customrecord_line", "by": "record_id", "return": "record_name"}
    rows = [
        {"field": "currency", "from": "subsidiary_id", "lookup": chained},
        {"field": "code", "from": "custentity_department", "lookup": by_name},
        {"field": "userid", "from": "alt_name", "lookup": in_target},
        {"field": "terms", "from": "custentity_line", "lookup": listed},
        {"field": "hierarchy:Department", "from": "custentity_department", "reference": "nodes"},
    ]
    flow, nodes = Workflow("flow", suite_customers(*rows)), Workflow("nodes", one_source(source="departments"))

    assert parent_columns([flow], {"flow": flow, "nodes": nodes}) == {
        ParentColumn("customers", "departments", "custentity_department", is_looked_up=True),
        ParentColumn("customers", "subsidiaries", "subsidiary_id", is_looked_up=True),
        ParentColumn("subsidiaries", "currencies", "currency_id", is_looked_up=True),
        ParentColumn("customers", "customrecord_line", "custentity_line", is_looked_up=True),
    }
