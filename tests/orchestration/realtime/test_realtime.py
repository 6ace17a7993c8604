"""A record that was just saved reaches the targets by itself, and nothing else is touched."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import dagster as dg
import pytest

from assets.delivery.spec.switches import Switches
from orchestration.definitions import load_workflows, resources
from orchestration.realtime.job import REALTIME, Outcome, Realtime
from orchestration.realtime.queue import NotificationQueue
from orchestration.settings import ROOT, MillpondSettings
from resources.failpoints import arm
from resources.sandbox.faults import Fault, FaultKind
from tests.orchestration.conftest import Home, at_home
from tests.orchestration.expected_targets import held_options

SUITE, OPTIONS = "suiteprojects__customers", "precoro__options"
HEARING = (SUITE, "suiteprojects__projects", "suiteprojects__contacts", OPTIONS)
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
    """A home whose workflows follow change notifications, after a run of all."""

    home: Home
    numbers: Iterator[int] = field(default_factory=lambda: count(int(time.time())))

    @property
    def notifications(self) -> NotificationQueue:
        """What waits."""
        return NotificationQueue(self.home.folder)

    def customers(self) -> list[int]:
        """Customers that both targets have."""
        return [int(row[0]) for row in self.ledger(BOTH)]

    def notification(self, source: str, record_id: int, *, is_deleted: bool = False) -> None:
        """As the webhook keeps it."""
        nonce, now = f"nonce-{next(self.numbers)}", time.time()
        assert self.notifications.keep(
            source, str(record_id), is_deleted=is_deleted, nonce=nonce, now=now, remember_s=600
        )

    def rename(self, customer_id: int, name: str) -> None:
        """A person renames a customer, and the script tells of it."""
        self.home.sandbox.netsuite.update("customer", customer_id, companyname=name)
        self.notification("customers", customer_id)

    def bring(self, run_id: str = "") -> Outcome:
        """What the targeted run does, without Dagster around it."""
        settings = MillpondSettings()
        workflows, _ = load_workflows(settings.workflows)
        made = resources(settings, workflows)
        connections = {each.spec.connection_name for each in workflows}
        with dg.build_resources(
            {name: made[name] for name in ("warehouse", "netsuite", "extraction", *connections)}
        ) as opened:
            clients = {name: getattr(opened, name) for name in connections}
            run_id = run_id or f"change notifications {next(self.numbers)}"
            return Realtime(
                opened.warehouse, opened.netsuite, opened.extraction, clients, workflows, self.notifications, run_id
            ).bring(200)

    def ledger(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the warehouse."""
        return self.home.warehouse.read(query).rows()

    def confirmed(self, record_id: int) -> set[str]:
        """The workflows that had a record confirmed by a run that change notifications started."""
        return {
            row[0]
            for row in self.ledger(
                "select workflow from sync_attempts join sync_runs using (run_id, workflow)"
                " join sync_plans using (plan_id)"
                f" where source_id = '{record_id}' and kind = 'realtime' and sync_attempts.state = 'confirmed'"
            )
        }

    def in_targets(self, name: str) -> tuple[int, int]:
        """How many records of that name SuiteProjects Pro and Precoro have."""
        suite = [row for row in self.home.sandbox.suiteprojects.rows("Customer") if row.get("company") == name]
        options = [row for row in held_options(self.home.sandbox) if row["name"] == name]
        return len(suite), len(options)


@contextmanager
def listening(home: Home) -> Iterator[Live]:
    """Switch real time on."""
    for name in HEARING:
        Switches(home.warehouse.folder).say(name, realtime=True)
    yield Live(home)


@pytest.fixture
def live(settled: Home) -> Iterator[Live]:
    """One run of all went well."""
    with listening(settled) as made:
        yield made


def watermarks(live: Live) -> list[tuple[Any, ...]]:
    """How far each table was read."""
    return live.ledger("select source_table, watermark_at, reconciled_at, run_id from sync_watermarks order by 1")


def test_saved_records_reach_both_targets_and_no_watermark_moves(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a run of Dagster's: the sinks show what was brought, and what the ordinary run reads stays the same."""
    monkeypatch.setenv("MILLPOND_REALTIME_LINGER_S", "0")
    first, second = live.customers()[:2]
    before = watermarks(live)
    live.rename(first, "Renamed just now")
    live.home.sandbox.netsuite.update("customer", second, companyname="Nobody told of it")

    done = live.home.run(REALTIME)

    assert done.success
    assert live.in_targets("Renamed just now") == (1, 1)
    assert live.in_targets("Nobody told of it") == (0, 0)
    assert live.confirmed(first) == {SUITE, OPTIONS}
    assert watermarks(live) == before
    assert live.notifications.waiting() == 0
    seen = [each for each in done.all_events if each.event_type_value == "ASSET_OBSERVATION"]
    shown = {str(each.asset_key.to_user_string()): each for each in seen if each.asset_key}
    assert {f"sync_{SUITE}", f"sync_{OPTIONS}"} <= shown.keys()
    versions = live.ledger(
        f"select company_name, is_current from hist_netsuite__customers where customer_id = '{first}'"
    )
    assert ("Renamed just now", True) in versions
    assert len(versions) == 2


def test_a_new_project_of_a_new_customer_is_brought_with_its_parents(live: Live) -> None:
    """Only the project was hinted: the script of the customer did not get through. A contact waits for its customer."""
    netsuite = live.home.sandbox.netsuite
    old = next(row for row in netsuite.rows("customer") if row["id"] == live.customers()[0])
    number = netsuite.next_id("customer")
    netsuite.insert("customer", [old | {"id": number, "entityid": "C-new", "companyname": "Brand new"}])
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
    live.notification("projects", project)

    outcome = live.bring()

    assert not outcome.problems
    assert live.in_targets("Brand new") == (1, 1)
    assert live.in_targets("Its project")[1] == 1
    order = [row[0] for row in live.ledger(
        "select source from sync_attempts where workflow = 'precoro__options' and state = 'intent'"
        f" and source_id in ('{number}', '{project}') order by rowid"
    )]  # fmt: skip
    assert order == ["customers", "projects"]


@pytest.mark.long
def test_a_deletion_is_believed_when_netsuite_shows_the_record_no_more(live: Live) -> None:
    """Said and gone: switched off. Said and there: nothing. Not said and not there, or never there: left alone."""
    parents = {row["customer"] for row in live.home.sandbox.netsuite.rows("job")}
    gone, there, unsaid = [each for each in live.customers() if each not in parents][:3]
    live.home.sandbox.netsuite.delete("customer", "customer", gone)
    live.home.sandbox.netsuite.delete("customer", "customer", unsaid)
    live.notification("customers", gone, is_deleted=True)
    live.notification("customers", there, is_deleted=True)
    live.notification("customers", unsaid)
    live.notification("customers", 999_999_999)

    outcome = live.bring()

    assert not outcome.problems
    state = dict(live.ledger("select customer_id, is_deleted from stg_netsuite__customers"))
    assert (state[str(gone)], state[str(there)], state[str(unsaid)]) == (True, False, False)
    acted = dict(live.ledger("select source_id, action from sync_attempts where action = 'deactivate'"))
    assert acted.keys() == {str(gone)}
    assert live.notifications.waiting() == 0


@pytest.mark.long
def test_an_account_that_is_down_keeps_its_hints_and_holds_up_no_other(live: Live) -> None:
    """Precoro has the record at once; SuiteProjects Pro gets it, and only it, when it answers again."""
    first, second = live.customers()[:2]
    live.home.sandbox.faults.plan("suiteprojects", Fault(FaultKind.REFUSED_500, times=1000))
    live.rename(first, "While it was down")
    down = live.bring()
    assert [text.partition(":")[0] for text in down.problems] == ["suiteprojects"]
    assert live.in_targets("While it was down") == (0, 1)

    live.home.sandbox.faults.clear()
    live.rename(second, "After it was down")
    fresh = live.bring()
    assert not fresh.problems
    assert live.in_targets("After it was down") == (1, 1)
    again = live.notifications.due(["suiteprojects", "precoro"], time.time() + 60)
    assert {
        connection: [notification.record_id for notification in notifications]
        for connection, notifications in again.items()
    } in (
        {"suiteprojects": [str(first)], "precoro": []},
        {"suiteprojects": [], "precoro": []},
    )


@pytest.mark.long
def test_while_netsuite_is_down_every_hint_waits(live: Live) -> None:
    """Values are never taken from the change notification, so there is nothing to send."""
    live.home.sandbox.faults.plan("netsuite", Fault(FaultKind.REFUSED_500, times=1000))
    live.notification("customers", live.customers()[0])
    attempts = live.ledger("select count(*) from sync_attempts")

    outcome = live.bring()

    assert len(outcome.problems) == 2
    assert live.notifications.waiting() == 1
    assert live.ledger("select count(*) from sync_attempts") == attempts


@pytest.mark.long
def test_what_is_switched_off_is_not_brought(live: Live) -> None:
    """Looked at when the run decides: no code is loaded anew."""
    key = live.customers()[0]
    switches = Switches(live.home.warehouse.folder)
    switches.say(OPTIONS, realtime=False)
    switches.say(SUITE, active=False)
    live.rename(key, "Off")
    live.bring()
    assert live.in_targets("Off") == (0, 0)

    switches.say(SUITE, active=True)
    live.notification("customers", key)
    live.bring()
    assert live.in_targets("Off") == (1, 0)


@pytest.mark.parametrize(
    "failpoint",
    [
        "bookkeeping_open",
        *(
            pytest.param(each, marks=pytest.mark.long)
            for each in ("hints_taken", "intents_kept", "request_served", "hints_sent")
        ),
    ],
)
def test_a_run_that_is_killed_is_made_good_by_the_next(live: Live, failpoint: str) -> None:
    """The change notification is closed after everything else: the record comes, and comes once."""
    netsuite = live.home.sandbox.netsuite
    old = next(row for row in netsuite.rows("customer") if row["id"] == live.customers()[0])
    number = netsuite.next_id("customer")
    netsuite.insert("customer", [old | {"id": number, "entityid": "C-new", "companyname": "Brand new"}])
    netsuite.insert("customersubsidiaryrelationship", [{"entity": number, "subsidiary": 2, "isprimarysub": True}])
    live.notification("customers", number)
    script = (
        "import sys; from pathlib import Path; from tests.orchestration.realtime.test_realtime import killed;"
        " killed(Path(sys.argv[1]), sys.argv[2])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(live.home.folder), failpoint],
        cwd=ROOT, check=False, capture_output=True,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr.decode()[-2000:]
    assert live.notifications.waiting() == 1

    assert not live.bring().problems

    assert live.in_targets("Brand new") == (1, 1)
    assert live.notifications.waiting() == 0
    assert live.ledger("select count(*) from sync_runs where state = 'sending'") == [(0,)]


def killed(folder: Any, failpoint: str) -> None:
    """A targeted run in a process of its own, killed there."""
    with at_home(folder) as home:
        arm(failpoint)
        Live(home).bring("killed")


@pytest.mark.long
def test_a_run_waits_a_little_for_the_next_save(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who saves one record saves another; the second does not wait for a process to begin."""
    monkeypatch.setenv("MILLPOND_REALTIME_LINGER_S", "0.5")
    first, second = live.customers()[:2]
    live.rename(first, "The first")
    arm("hints_sent", strike=lambda: live.rename(second, "The second"))

    assert live.home.run(REALTIME).success

    assert live.in_targets("The first") == live.in_targets("The second") == (1, 1)
    assert live.notifications.waiting() == 0
