"""A run killed at any point is repaired by the next one: nothing lost, nothing written twice, a correct ledger."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from assets.delivery.errors import PlanError
from assets.delivery.plan.planner import make_plan
from assets.suiteprojects.target import SuiteProjectsTarget
from resources import failpoints
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse, WarehouseError
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.killed_runs import SCENARIOS, SUITEPROJECTS, Scenario, opened, stage_edited, stage_first
from tests.assets.delivery.run_workflow import WorkflowRunner

ROOT = Path(__file__).parents[3]

# key: name, is active, key of the parent
OPTIONS = {
    "1": ("New 1", True, None),
    "2": ("Company 2", True, None),
    "3": ("Company 3", False, None),
    "4": ("Company 4", True, None),
    "100": ("Project 100", True, "2"),
    "101": ("Project 101", False, "1"),
    "102": ("New 102", True, "1"),
    "103": ("Project 103", True, "4"),
}
CUSTOMERS = {key: each[:2] for key, each in OPTIONS.items() if len(key) == 1}
EXPECTED: dict[str, Any] = {"precoro": OPTIONS, "suiteprojects": CUSTOMERS}


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder per scenario, as the killed run left it."""
    folder = tmp_path_factory.mktemp("scenarios")
    subprocess.run([sys.executable, "-m", "tests.assets.delivery.killed_runs", str(folder)], cwd=ROOT, check=True)
    return folder


def records_of(sandbox: Sandbox, system: str) -> dict[str, Any]:
    """Return our records in the target, by our key.

    Raises:
        AssertionError: A key exists twice.
    """
    if system == "precoro":
        options = sandbox.precoro.options()
        keys = {option["option_id"]: option["external_id"] for option in options}
        ours = [option for option in options if option["external_id"]]
        found = [(each["external_id"], (each["name"], each["enable"], keys.get(each["parent_id"]))) for each in ours]
    else:
        rows = [row for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid")]
        found = [(row["externalid"], (row["company"], row.get("active") == "1")) for row in rows]
    twice = [key for key, count in Counter(key for key, _ in found).items() if count > 1]
    assert not twice
    return dict(found)


def foreign(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return the options that are not ours."""
    return [option for option in sandbox.precoro.options() if not option["external_id"]]


def writes(sandbox: Sandbox) -> int:
    """Return the number of write calls that the targets answered."""
    answered = [call for call in sandbox.precoro.call_log() if call["method"] != "GET" and call["status"] < 300]
    return len(answered) + sandbox.suiteprojects.write_calls()


def unresolved(runner: WorkflowRunner) -> list[tuple[Any, ...]]:
    """Return the attempts without an outcome."""
    query = "select attempt_id from sync_attempts group by attempt_id having bool_and(state in ('intent', 'unknown'))"
    return runner.warehouse.read(query).rows()


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_next_run_repairs_a_killed_run(scenarios: Path, scenario: Scenario) -> None:
    """One run suffices: nothing is lost, written twice, or changed in records that are not ours."""
    folder = scenarios / scenario.name
    sandbox = Sandbox(folder / "sandbox")
    assert (folder / "exit_code").read_text() == ("-9" if scenario.end == "kill" else "1")
    others = foreign(sandbox)
    records_of(sandbox, scenario.system)  # no key exists twice, even before the repair

    with opened(folder, scenario.system) as runner:
        runner.run()
        assert records_of(sandbox, scenario.system) == EXPECTED[scenario.system]
        assert foreign(sandbox) == others
        check_ledger(runner, sandbox, scenario)

    with opened(folder, scenario.system) as runner:
        runner.runs, done = iter([7]), writes(sandbox)
        assert {action for action, _ in runner.run().values()} <= {"unchanged", "skipped"}
        assert writes(sandbox) == done


def check_ledger(runner: WorkflowRunner, sandbox: Sandbox, scenario: Scenario) -> None:
    """Every attempt has an outcome, the ledger has as many writes as the target, and nothing is still being sent."""
    assert unresolved(runner) == []
    if scenario.system == "precoro":  # one record a call
        served = [call for call in sandbox.precoro.call_log() if call["method"] != "GET" and call["status"] < 300]
        mine = runner.table("sync_attempts").filter(pl.col("workflow") == "precoro")
        arrived = mine.filter(pl.col("state").is_in(["confirmed", "found"]))["attempt_id"].n_unique()
        unverifiable = mine.filter(pl.col("state") == "unverifiable").height  # a move: Precoro returns no parents
        assert arrived <= len(served) <= arrived + unverifiable
        assert unverifiable <= 1
    runs = dict(
        runner.table("sync_runs").filter(pl.col("workflow") == scenario.system).select("run_id", "state").rows()
    )
    states = set(runner.table("sync_plans")["state"])
    finished = scenario.failpoint.startswith("publish") or scenario.failpoint == "bookkeeping_done"
    before_sending = {"mart_made": None, "target_state_read": None, "plan_begins": "read", "plan_kept": "planned"}
    assert runs.get("killed") == ("finished" if finished else before_sending.get(scenario.failpoint, "died"))
    assert ("died" in states) == (runs.get("killed") == "died")
    assert "sending" not in {*runs.values(), *states}


@pytest.mark.long
@pytest.mark.parametrize(
    "scenario", [each for each in SCENARIOS if "publish" in each.failpoint], ids=lambda each: each.name
)
def test_readers_never_see_a_partial_snapshot(scenarios: Path, scenario: Scenario) -> None:
    """The next run deletes a partial copy."""
    warehouse = Warehouse(scenarios / scenario.name / "warehouse")
    assert warehouse.snapshot.exists() == (scenario.failpoint == "publish_done")

    warehouse.publish()

    assert list(warehouse.folder.glob(".analyst*")) == []
    with duckdb.connect(str(warehouse.snapshot), read_only=True) as con:
        assert con.execute("select count(*) from sync_runs").fetchall()[0][0] >= 2


def test_every_failpoint_has_a_scenario() -> None:
    """A failpoint without a scenario proves nothing."""
    assert {scenario.failpoint for scenario in SCENARIOS} == failpoints.FAILPOINTS.keys()


def test_an_unknown_failpoint_is_rejected() -> None:
    """A typo would pass every test."""
    with pytest.raises(ValueError, match="no failpoint intents"):
        failpoints.arm("intents")


# --- other interruptions --------------------------------------------------------------------------------------------


def check_converges(runner: WorkflowRunner, sandbox: Sandbox, system: str, runs: int = 2) -> None:
    """After these runs the target has the desired records, and one more run writes nothing."""
    for _ in range(runs):
        runner.run()
    assert records_of(sandbox, system) == EXPECTED[system]
    assert unresolved(runner) == []
    done = writes(sandbox)
    runner.run()
    assert writes(sandbox) == done


@pytest.mark.long
@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.CUT, FaultKind.APPLIED_500, FaultKind.TRUNCATED])
@pytest.mark.parametrize("system", ["precoro", "suiteprojects"])
def test_lost_responses_are_looked_up(
    sandbox: Sandbox, precoro: WorkflowRunner, suiteprojects: WorkflowRunner, system: str, kind: FaultKind
) -> None:
    """Every write is applied; half of the responses are lost or broken."""
    runner = {"precoro": precoro, "suiteprojects": suiteprojects}[system]
    runner.spec = SUITEPROJECTS if system == "suiteprojects" else runner.spec
    stage_first(runner)
    runner.run()
    stage_edited(runner)
    pattern = {"precoro": "options", "suiteprojects": "<Add |<Modify "}[system]
    for method in ("POST", "PUT", "PATCH"):
        sandbox.faults.plan(system, Fault(kind, method, pattern, times=2))

    check_converges(runner, sandbox, system)


def allow(sandbox: Sandbox, system: str, more: int) -> None:
    """Allow this many more calls today."""
    if system == "precoro":
        sandbox.switches.set("precoro", PrecoroSwitches, calls_per_day=sandbox.precoro.calls_made() + more)
    else:
        most = sandbox.suiteprojects.calls_made() + more
        sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_day=most)


@pytest.mark.long
@pytest.mark.parametrize("system", ["precoro", "suiteprojects"])
def test_records_over_the_daily_quota_are_deferred(
    sandbox: Sandbox, precoro: WorkflowRunner, suiteprojects: WorkflowRunner, system: str
) -> None:
    """Sent records are confirmed; the others are sent by the next run, and none counts as failed."""
    runner = {"precoro": precoro, "suiteprojects": suiteprojects}[system]
    if isinstance(runner.target, SuiteProjectsTarget):
        runner.spec, runner.target.batch_size = SUITEPROJECTS, 1
    stage_first(runner)
    runner.run()
    stage_edited(runner)
    runner.plan("short")
    allow(sandbox, system, 2)

    synced = runner.send("short")

    assert (synced.counts["deferred"] > 0, synced.counts["failed"]) == (True, 0)
    deferred = synced.decisions.filter(pl.col("action") == "deferred")
    assert set(deferred["reason_code"]) == {"quota_exhausted"}
    expected = r"deferred until (\d{4}-\d\d-\d\d \d\d:\d\d UTC|\w+ accepts requests again): the day's quota is used up"
    assert all(re.match(expected, reason) for reason in deferred["reason"])
    notes = dict(runner.table("sync_runs").select("run_id", "note").rows())
    assert re.match(expected, str(notes["short"]))
    attempts = runner.table("sync_attempts").filter((pl.col("run_id") == "short") & (pl.col("state") == "not_sent"))
    assert not any("failed" in reason or "stopped" in reason for reason in attempts["reason"])
    assert deferred.height == runner.table("sync_runs").filter(pl.col("run_id") == "short")["deferred"][0]
    assert sum(synced.counts[each] for each in ("created", "updated", "deactivated")) > 0
    assert dict(runner.table("sync_runs").select("run_id", "state").rows())["short"] == "partial"
    allow(sandbox, system, 3000)
    sandbox.clock.sleep(86_400)
    check_converges(runner, sandbox, system, 1)


@pytest.mark.long
def test_a_token_that_expires_between_batches_is_renewed(
    sandbox: Sandbox, suiteprojects: WorkflowRunner, tmp_path: Path
) -> None:
    """A long run outlives an access token, which is valid for an hour."""
    keys = sandbox.credentials["suiteprojects"]
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, access_token_life_s=600)
    names = ("client_id", "client_secret", "refresh_token")
    with open_suiteprojects(
        sandbox=str(sandbox.folder),
        token_file=str(tmp_path / "token"),
        **{name: keys[name] for name in names},
    ) as client:
        target = SuiteProjectsTarget(client, "Customer")
        target.batch_size = 1
        suiteprojects.target, suiteprojects.spec = target, SUITEPROJECTS
        stage_first(suiteprojects)
        suiteprojects.run()
        stage_edited(suiteprojects)
        failpoints.arm("intents_kept", skip=1, strike=lambda: sandbox.clock.advance(3600))

        decisions = suiteprojects.run()

        assert "failed" not in {action for action, _ in decisions.values()}
        check_converges(suiteprojects, sandbox, "suiteprojects", 1)


@pytest.mark.long
def test_two_runs_at_once_send_each_record_once(sandbox: Sandbox, precoro: WorkflowRunner, tmp_path: Path) -> None:
    """Two processes start together; a record that both create exists once."""
    stage_first(precoro)
    code = (
        "import sys; from pathlib import Path; from tests.assets.delivery.killed_runs import opened\n"
        "from assets.delivery.errors import SyncError\n"
        "with opened(Path(sys.argv[1]), 'precoro') as runner:\n"
        "    try:\n        runner.plan(sys.argv[2]); runner.send(sys.argv[2])\n"
        "    except SyncError as error:\n        print(error)"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), f"both {n}"], cwd=ROOT) for n in range(2)]

    assert [each.wait(120) for each in both] == [0, 0]

    assert len(records_of(sandbox, "precoro")) == 6
    precoro.name = "precoro"
    stage_edited(precoro)
    check_converges(precoro, sandbox, "precoro", 1)


def test_a_plan_made_before_another_runs_writes_is_not_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its target state is outdated: its creates would be duplicates."""
    with opened(tmp_path, "precoro") as slow, opened(tmp_path, "precoro") as quick:
        stage_first(slow)
        slow.plan("slow")
        failpoints.arm("plan_taken", strike=lambda: quick.plan("quick"))
        slow.send("slow")

        with pytest.raises(PlanError, match="another run sent records after this plan's target was read"):
            quick.send("quick")

    assert len(records_of(sandbox, "precoro")) == 6


def test_no_plan_is_made_from_a_target_state_older_than_a_killed_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """That target state lacks the records that the killed run created."""
    with opened(tmp_path, "precoro") as runner:
        stage_first(runner)
        runner.plan("killed")
        failpoints.arm("answers_read", strike=_raise)
        with pytest.raises(KeyboardInterrupt):
            runner.send("killed")

        with pytest.raises(PlanError, match="materialize target_precoro and plan_precoro again"):
            make_plan(runner.context("again"))

    with opened(tmp_path, "precoro") as runner:
        runner.run()
    assert len(records_of(sandbox, "precoro")) == 6


def _raise() -> None:
    raise KeyboardInterrupt


@pytest.mark.long
def test_a_move_of_a_killed_run_is_reverted_if_netsuite_reverts_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """Precoro applied the move, its response was lost, and Precoro does not return parents."""
    with opened(tmp_path, "precoro") as runner:
        runner.stage(customer("1"), customer("2"), below=(project("100"),)).run()
        runner.stage(customer("1"), customer("2"), below=(project("100", customer_id="2"),)).plan("killed")
        failpoints.arm("answers_read", strike=_raise)
        with pytest.raises(KeyboardInterrupt):
            runner.send("killed")
        assert records_of(sandbox, "precoro")["100"][2] == "2"

    with opened(tmp_path, "precoro") as runner:
        runner.runs = iter(range(5, 9))
        runner.stage(customer("1"), customer("2"), below=(project("100"),)).run()
        assert records_of(sandbox, "precoro")["100"][2] == "1"
        assert runner.run()["100"] == ("unchanged", "identical")


def test_a_project_moves_after_a_run_that_died_before_writing_links(sandbox: Sandbox, tmp_path: Path) -> None:
    """Only the attempts know the parent under which the project was created."""
    with opened(tmp_path, "precoro") as runner:
        runner.stage(customer("1"), customer("2"), below=(project("100"),)).plan("killed")
        failpoints.arm("answers_kept", strike=_raise)
        with pytest.raises(KeyboardInterrupt):
            runner.send("killed")

    with opened(tmp_path, "precoro") as runner:
        runner.stage(customer("1"), customer("2"), below=(project("100", customer_id="2"),)).run()
        assert records_of(sandbox, "precoro")["100"][2] == "2"


@pytest.mark.long
def test_a_restored_record_is_reactivated(sandbox: Sandbox, precoro: WorkflowRunner) -> None:
    """Being inactive is not a normalization by the target."""
    precoro.stage(customer("1")).run()
    for _ in range(2):
        precoro.stage(customer("1", is_deleted=True)).run()

    assert precoro.stage(customer("1")).run()["1"][0] == "reactivate"
    assert records_of(sandbox, "precoro")["1"] == ("Company 1", True, None)


@pytest.mark.long
def test_our_key_is_restored_each_time_it_is_cleared(sandbox: Sandbox, precoro: WorkflowRunner) -> None:
    """Meanwhile only the link identifies the record; without it, a duplicate would be created."""
    precoro.stage(customer("1")).run()
    for _ in range(3):
        sandbox.precoro.edit_option(sandbox.precoro.options()[-1]["option_id"], external_id=None)
        sandbox.clock.advance(120)
        precoro.run()
        assert "1" in records_of(sandbox, "precoro")


def test_the_error_of_a_full_disk_names_the_fix(tmp_path: Path) -> None:
    """DuckDB's own message does not."""
    warehouse = Warehouse(tmp_path / "warehouse")
    warehouse.replace("small", pl.DataFrame({"a": [1]}))
    code = (
        "import sys; from pathlib import Path; import polars as pl\n"
        "from resources.warehouse.warehouse import Warehouse\n"
        "from tests.assets.delivery.killed_runs import fill_disk; fill_disk()\n"
        "Warehouse(Path(sys.argv[1])).replace('big', pl.DataFrame({'a': list(range(9999))}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(warehouse.folder)], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert WarehouseError.__name__ in result.stderr
    assert "the disk has space" in result.stderr
