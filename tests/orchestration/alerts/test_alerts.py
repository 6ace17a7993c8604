"""Alerts: one message per change of state and root cause, never lost, never a secret or somebody's name."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets.delivery.ledger import ledger
from assets.delivery.plan.planner import Workflow
from orchestration.alerts.conditions import Limits
from orchestration.alerts.notify import Look, Scrub
from orchestration.alerts.run_failures import cause_of
from orchestration.alerts.sensor import look
from orchestration.alerts.store import Memory
from resources.notifiers.notice import Notice, NotToldError
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import one_source
from tests.orchestration.conftest import QUIET

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
CANARY, TOKEN = "Qanarybird AB", "hunter2-hunter2"
OUTAGE = "netsuite: read {}: HTTP 503 after {} tries"


@dataclass
class Told:
    """A receiver that keeps what it is told, unless it is dead."""

    name: str = "memory"
    is_dead: bool = False
    got: list[Notice] = field(default_factory=list)

    def tell(self, notice: Notice) -> None:
        """Keep it."""
        if self.is_dead:
            raise NotToldError(f"{self.name}: ConnectError")
        self.got.append(notice)


@dataclass
class Desk:
    """A warehouse, Dagster's records and one receiver."""

    instance: dg.DagsterInstance
    warehouse: Warehouse
    path: Path
    told: Told = field(default_factory=Told)
    now: datetime = NOW
    held: int = 10
    fresh_h: dict[str, float] = field(default_factory=dict)
    workflows: tuple[str, ...] = ("customers", "projects")

    def look(self) -> Look:
        """One look of the sensor; every look opens its file anew, as after a restart."""
        flows = [Workflow(name, one_source()) for name in self.workflows]
        return look(
            self.instance, self.warehouse, self.path, {self.told.name: self.told}, flows,
            Limits(self.held, self.fresh_h), warehouse_time=self.now, link="https://ops.example",
        )  # fmt: skip

    def run(self, job: str, steps: dict[str, Callable[[], None]]) -> bool:
        """A run whose steps are assets that do this."""
        made = [_asset(name, do) for name, do in steps.items()]
        defs = dg.Definitions(assets=made, jobs=[dg.define_asset_job(job, dg.AssetSelection.assets(*steps))])
        found = defs.resolve_job_def(job)
        return found.execute_in_process(instance=self.instance, raise_on_error=False, run_config=QUIET).success

    def decide(self, code: str, records: int, workflow: str = "customers", action: str = "quarantined") -> None:
        """So many records are held back by this cause, and no others."""
        with self.warehouse.writer() as con:
            con.execute("delete from sync_decisions where workflow = ? and reason_code = ?", [workflow, code])
            con.execute(
                "insert into sync_decisions (workflow, source, source_id, action, reason_code, reason)"
                " select ?, 'customers', number, ?, ?, ? from range(?) as numbers (number)",
                [workflow, action, code, f"the target refused {CANARY}", records],
            )

    def plan(self, plan_id: str, state: str, hours: float = 24, workflow: str = "customers") -> None:
        """A plan in some state."""
        moment = self.now.replace(tzinfo=None)
        with self.warehouse.writer() as con:
            con.execute("delete from sync_plans where plan_id = ?", [plan_id])
            con.execute(
                "insert into sync_plans (plan_id, workflow, kind, made_at, expires_at, state, writes, note)"
                " values (?, ?, 'sync', ?, ?, ?, 7, ?)",
                [plan_id, workflow, moment, moment + timedelta(hours=hours), state, f"limits of {CANARY}"],
            )

    def finished(self, workflow: str, hours_ago: float) -> None:
        """A run of a workflow that ended well."""
        with self.warehouse.writer() as con:
            ended = self.now.replace(tzinfo=None) - timedelta(hours=hours_ago)
            ledger.note_run(con, f"run {hours_ago}", workflow, {"state": "finished", "finished_at": ended})

    def titles(self) -> list[str]:
        """What was told, each in a line."""
        return [each.title for each in self.told.got]


def _asset(name: str, do: Callable[[], None]) -> dg.AssetsDefinition:
    @dg.asset(name=name)
    def made() -> None:
        do()

    return made


def fine() -> None:
    """A step that goes well."""


def fails(text: str) -> Callable[[], None]:
    """A step that fails with one of our own texts."""

    def fail() -> None:
        raise dg.Failure(text, allow_retries=False)

    return fail


@pytest.fixture
def desk(warehouse: Warehouse, tmp_path: Path) -> Iterator[Desk]:
    """Nothing ran yet."""
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Desk(instance, warehouse, tmp_path / "alerts.sqlite")


def test_one_outage_that_fails_five_workflows_is_one_message(desk: Desk) -> None:
    """Five jobs, each at its own table and after its own number of tries, over three looks."""
    names = [f"sync_{each}" for each in ("a", "b", "c", "d", "e")]
    for number, name in enumerate(names):
        desk.run(f"job_{number}", {name: fails(OUTAGE.format(f"table {name}", number + 3))})
        if number in {1, 3}:
            desk.look()
    last = desk.look()

    assert [each.entries[0].cause for each in desk.told.got] == ["netsuite: HTTP 503 after 3 tries"]
    assert desk.told.got[0].title == "Millpond: failed: netsuite: HTTP 503 after 3 tries"
    assert desk.told.got[0].entries[0].affected == ["a", "b"]
    assert (last.open, last.told) == (1, None)
    with closing(Memory(desk.path)) as memory:
        ((problem, _),) = memory.open_problems().values()
    assert problem.affected == ("a", "b", "c", "d", "e")


def test_it_is_over_when_every_step_went_well_again_in_whatever_job(desk: Desk) -> None:
    """A person runs another group by hand; half of it mended is not over."""
    desk.run("night", {"sync_customers": fails(OUTAGE.format("x", 3)), "raw": fails(OUTAGE.format("y", 3))})
    desk.look()
    desk.run("by_hand", {"raw": fine})
    half = desk.look()
    desk.run("another", {"sync_customers": fine})
    whole = desk.look()

    assert (half.told, half.open) == (None, 1)
    assert whole.told is not None
    assert whole.told.title == "Millpond: recovered: netsuite: HTTP 503 after 3 tries"
    assert [each.state for notice in desk.told.got for each in notice.entries] == ["opened", "recovered"]


def test_two_causes_in_one_run_are_two_lines_of_one_message(desk: Desk) -> None:
    """A person reads one message and sees both."""
    steps = {
        "sync_customers": fails("suiteprojects__customers: suiteprojects: send: HTTP 500"),
        "sync_x": fails("precoro: list: HTTP 401"),
    }
    desk.run("night", steps)
    desk.look()

    (notice,) = desk.told.got
    assert notice.title == "Millpond: 2 failed"
    assert [each.cause for each in notice.entries] == ["suiteprojects: HTTP 500", "precoro: HTTP 401"]
    assert notice.text.splitlines()[0] == "failed: suiteprojects: HTTP 500"
    assert notice.text.endswith("https://ops.example")


def test_ten_records_held_back_by_one_cause_are_one_line(desk: Desk) -> None:
    """At the limit nothing is told; beyond it once, however the number moves, until it is down to half of it."""
    desk.decide("rejected_837", 10)
    at_limit = desk.look()
    desk.decide("rejected_837", 11)
    desk.decide("too_long", 2)
    beyond = desk.look()
    desk.decide("rejected_837", 900)
    more = desk.look()
    desk.decide("rejected_837", 6)
    fewer = desk.look()
    desk.decide("rejected_837", 5)
    over = desk.look()

    assert at_limit.told is None
    assert beyond.told is not None
    (entry,) = beyond.told.entries
    assert entry.cause == "customers: 11 records quarantined, all by one cause: rejected_837"
    assert entry.lines == ["NetSuite ids 0, 1, 2, 3, 4"]
    assert (more.told, fewer.told) == (None, None)
    assert over.told is not None
    assert over.told.title.startswith("Millpond: recovered: customers: 6 records")


def test_another_cause_in_the_same_workflow_is_told(desk: Desk) -> None:
    """A workflow that is known to be in trouble may get into more."""
    desk.decide("rejected_837", 20)
    desk.look()
    desk.decide("too_long", 30)
    second = desk.look()

    assert second.told is not None
    assert [each.cause for each in second.told.entries] == [
        "customers: 30 records quarantined, all by one cause: too_long"
    ]


def test_unknown_fates_count_and_settled_ones_do_not(desk: Desk) -> None:
    """A lost answer is read back by the next run; until then nobody knows what arrived."""
    desk.held = 0
    with desk.warehouse.writer() as con:
        for state in ("intent", "unknown"):
            con.execute(
                "insert into sync_attempts (attempt_id, state, workflow, source_id) values ('1', ?, 'customers', '7')",
                [state],
            )
    lost = desk.look()
    with desk.warehouse.writer() as con:
        con.execute(
            "insert into sync_attempts (attempt_id, state, workflow, source_id) values ('1', 'found', 'customers', '7')"
        )
    settled = desk.look()

    assert lost.told is not None
    assert lost.told.entries[0].cause == "customers: 1 records sent, all by one cause: no answer told their fate"
    assert settled.told is not None
    assert settled.told.entries[0].state == "recovered"


def test_a_plan_that_waits_is_told_once_with_the_way_out(desk: Desk) -> None:
    """Also when every run makes another one; over when it is sent, dropped or expired."""
    desk.plan("aaa", "waiting")
    first = desk.look()
    desk.plan("bbb", "waiting")
    second = desk.look()
    desk.plan("aaa", "rejected")
    desk.plan("bbb", "sent")
    third = desk.look()

    assert first.told is not None
    assert first.told.title == "Millpond: waiting: customers: plan aaa of 7 records waits for a person"
    assert "`millpond apply aaa` sends it" in first.told.text
    assert second.told is None
    assert third.told is not None
    assert third.told.title.startswith("Millpond: recovered: customers: plan")


def test_a_guards_failed_check_is_no_failure_beside_the_plan_that_waits(desk: Desk) -> None:
    """One fact, one message: the plan's step fails because its check does."""

    @dg.asset(name="plan_customers", check_specs=[dg.AssetCheckSpec("guard", asset="plan_customers", blocking=True)])
    def plan() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="guard", passed=False)])

    dg.materialize([plan], instance=desk.instance, raise_on_error=False, run_config=QUIET)
    found = desk.look()

    assert (found.open, found.told) == (0, None)


def test_another_blocking_check_is_a_failure_in_its_own_words(desk: Desk) -> None:
    """Its description counts; it never quotes."""

    @dg.asset(name="mart_x", check_specs=[dg.AssetCheckSpec("no_row_lost", asset="mart_x", blocking=True)])
    def mart() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it
        result = dg.AssetCheckResult(check_name="no_row_lost", passed=False, description="3 rows for 4 source records")
        return dg.MaterializeResult(check_results=[result])

    dg.materialize([mart], instance=desk.instance, raise_on_error=False, run_config=QUIET)
    found = desk.look()

    assert found.told is not None
    assert found.told.entries[0].cause == "mart_x: check no_row_lost: 3 rows for 4 source records"


def test_a_workflow_that_grew_old_is_told_and_its_next_run_ends_it(desk: Desk) -> None:
    """By the warehouse's clock and the hours that groups.yaml says; a workflow without them never grows old."""
    desk.fresh_h = {"customers": 26.0}
    desk.finished("customers", 1)
    desk.finished("projects", 1)
    young = desk.look()
    desk.now += timedelta(hours=26)
    old = desk.look()
    desk.finished("customers", 0)
    again = desk.look()

    assert young.told is None
    assert old.told is not None
    assert old.told.title.startswith(
        "Millpond: stale: customers: last brought up to date at 2026-11-22 01:00 UTC; allowed"
    )
    assert again.told is not None
    assert again.told.entries[0].state == "recovered"


def test_what_a_failure_made_old_is_not_told_a_second_time(desk: Desk) -> None:
    """The outage was told at two; at six everybody knows."""
    desk.fresh_h = {"customers": 26.0}
    desk.finished("customers", 1)
    desk.run("night", {"sync_customers": fails(OUTAGE.format("x", 3))})
    desk.look()
    desk.now += timedelta(hours=30)

    assert desk.look().told is None
    assert len(desk.told.got) == 1


def test_a_dead_receiver_fails_nothing_and_gets_everything_later(desk: Desk) -> None:
    """In order and once each, also when the process that looked was another one."""
    desk.told.is_dead = True
    desk.run("night", {"sync_customers": fails(OUTAGE.format("x", 3))})
    first = desk.look()
    desk.run("night", {"sync_customers": fine})
    second = desk.look()
    desk.told.is_dead = False
    third, fourth = desk.look(), desk.look()

    assert first.text == "1 open; told: Millpond: failed: netsuite: HTTP 503 after 3 tries; waits: memory: ConnectError"
    assert second.told is not None
    assert (third.delivered, fourth.delivered) == (2, 0)
    assert [each.entries[0].state for each in desk.told.got] == ["opened", "recovered"]
    assert third.text == "0 open; nothing changed; 2 delivered"


def test_a_look_that_dies_is_made_again(desk: Desk) -> None:
    """What changed is noted together with the message that tells it, or not at all."""
    desk.run("night", {"sync_customers": fails(OUTAGE.format("x", 3))})
    flows = [Workflow("customers", one_source())]

    def die() -> datetime:
        raise KeyboardInterrupt

    class Dying(datetime):
        def replace(self, **_parts: object) -> datetime:  # type: ignore[override]  # the look dies where it asks for time
            return die()

    with pytest.raises(KeyboardInterrupt):
        look(
            desk.instance, desk.warehouse, desk.path, {"memory": desk.told}, flows, Limits(10, {}),
            warehouse_time=Dying(2026, 11, 22, tzinfo=UTC),
        )  # fmt: skip
    after = desk.look()

    assert after.told is not None
    assert len(desk.told.got) == 1


def test_a_pond_that_cannot_be_read_ends_nothing_and_is_told(desk: Desk) -> None:
    """Not to see a problem is not to be rid of it."""
    desk.decide("rejected_837", 20)
    desk.look()
    content = desk.warehouse.stage.read_bytes()
    desk.warehouse.stage.write_bytes(b"no warehouse at all" * 1000)
    blind = desk.look()
    desk.warehouse.stage.write_bytes(content)
    seeing = desk.look()

    assert blind.told is not None
    assert blind.told.title == "Millpond: failed: the warehouse cannot be read: WarehouseError"
    assert blind.open == 2
    assert seeing.told is not None
    assert [each.state for each in seeing.told.entries] == ["recovered"]


def test_no_secret_and_nobodys_name_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reasons of targets quote values, exceptions quote anything: neither reaches a message, nor alerting's file."""
    monkeypatch.setenv("SUITEPROJECTS_PASSWORD", TOKEN)
    desk.held = 0
    desk.decide("rejected_837", 3)
    desk.plan("aaa", "waiting")

    def crash() -> None:
        raise ValueError(f"could not convert {CANARY} <anna@example.com>")

    desk.run(
        "night", {"sync_customers": crash, "sync_x": fails(f"netsuite: sign in: {TOKEN} for anna@example.com refused")}
    )
    desk.look()

    told = json.dumps([each.text + each.title for each in desk.told.got])
    assert "sync_customers: ValueError; the run's log in the UI has the rest" in told
    assert "netsuite: *** for *** refused" in told
    everything = [told.encode(), json.dumps([str(each) for each in desk.told.got]).encode()]
    assert [text for text in (CANARY, TOKEN, "anna@") if any(text.encode() in each for each in everything)] == []


def test_a_run_that_ends_without_a_word_is_told_and_its_next_end_mends_it(desk: Desk) -> None:
    """Killed, out of memory, a power cut: there is no failed step to name."""
    run = desk.instance.create_run_for_job(
        dg.Definitions(assets=[_asset("raw", fine)], jobs=[dg.define_asset_job("night", "raw")]).resolve_job_def(
            "night"
        )
    )
    desk.instance.report_run_failed(run, message=f"terminated {CANARY}")
    dead = desk.look()
    desk.run("night", {"raw": fine})
    again = desk.look()

    assert dead.told is not None
    assert dead.told.entries[0].cause == "the run ended without a word: its process was killed or could not start"
    assert again.told is not None
    assert again.told.entries[0].state == "recovered"


def test_a_check_that_is_only_planned_leaves_its_last_answer_standing(desk: Desk) -> None:
    """The nightly job is under way: what it will say nobody knows."""
    answers = [False]

    @dg.asset_check(asset="sync_customers", name="reconciled")
    def reconciled() -> dg.AssetCheckResult:
        if not answers:
            raise dg.Failure("netsuite: read: HTTP 500", allow_retries=False)
        return dg.AssetCheckResult(passed=answers.pop(), description="compared up to now: 1 unexplained differences")

    made = dg.Definitions(
        assets=[_asset("sync_customers", fine)], asset_checks=[reconciled],
        jobs=[dg.define_asset_job("reconcile", dg.AssetSelection.all_asset_checks())],
    )  # fmt: skip
    job = made.resolve_job_def("reconcile")
    job.execute_in_process(instance=desk.instance, run_config=QUIET)
    first = desk.look()
    job.execute_in_process(instance=desk.instance, raise_on_error=False, run_config=QUIET)
    second = desk.look()

    assert first.told is not None
    assert first.told.title == "Millpond: unreconciled: customers: compared up to now: 1 unexplained differences"
    assert second.told is not None
    assert [(each.kind, each.state) for each in second.told.entries] == [("failed", "opened")]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("netsuite: read customers: HTTP 503 after 6 tries", "netsuite: HTTP # after # tries"),
        ("suiteprojects__customers: suiteprojects: send: HTTP 500", "suiteprojects: HTTP #"),
        ("precoro: list options: HTTP 429: day limiter", "precoro: HTTP #: day limiter"),
        (
            "precoro__options: another run is sending to precoro since an hour",
            "another run is sending to precoro since an hour",
        ),
        ("something else", "something else"),
    ],
)
def test_a_root_cause_is_the_system_and_its_reason(text: str, key: str) -> None:
    """Not what was asked of it, nor how often."""
    assert cause_of(text).key == key


def test_secrets_are_blotted_out_of_any_text() -> None:
    """The longer one first; a value too short to be a secret would blot out words."""
    assert Scrub(["abcdef", "abcdef-ghi", "on"])("abcdef-ghi and abcdef on me@x.se") == "*** and *** on ***"
