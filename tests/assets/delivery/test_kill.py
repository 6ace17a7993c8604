"""A run that dies, wherever it dies, is mended by the next one: nothing lost, nothing twice, a ledger that is true."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from assets.delivery.ledger.plans import PlanError
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
from tests.assets.delivery.killed_runs import DEATHS, SUITE, Death, after, before, opened
from tests.assets.delivery.run_workflow import Flow

ROOT = Path(__file__).parents[3]

# key: name, live, key of the parent
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
WANTED: dict[str, Any] = {"precoro": OPTIONS, "suiteprojects": CUSTOMERS}


@pytest.fixture(scope="module")
def graves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per death, as the dead left it."""
    folder = tmp_path_factory.mktemp("graves")
    subprocess.run([sys.executable, "-m", "tests.assets.delivery.killed_runs", str(folder)], cwd=ROOT, check=True)
    return folder


def shown(world: Sandbox, system: str) -> dict[str, Any]:
    """What the target has of ours, by our key.

    Raises:
        AssertionError: A key is there twice.
    """
    if system == "precoro":
        options = world.precoro.options()
        keys = {option["option_id"]: option["external_id"] for option in options}
        ours = [option for option in options if option["external_id"]]
        found = [(each["external_id"], (each["name"], each["enable"], keys.get(each["parent_id"]))) for each in ours]
    else:
        rows = [row for row in world.suiteprojects.rows("Customer") if row.get("externalid")]
        found = [(row["externalid"], (row["company"], row.get("active") == "1")) for row in rows]
    twice = [key for key, count in Counter(key for key, _ in found).items() if count > 1]
    assert not twice
    return dict(found)


def foreign(world: Sandbox) -> list[dict[str, Any]]:
    """Options of others."""
    return [option for option in world.precoro.options() if not option["external_id"]]


def writes(world: Sandbox) -> int:
    """Records that the targets wrote."""
    answered = [call for call in world.precoro.log() if call["method"] != "GET" and call["status"] < 300]
    return len(answered) + world.suiteprojects.write_calls()


def open_ends(flow: Flow) -> list[tuple[Any, ...]]:
    """Attempts without an end."""
    query = "select attempt_id from sync_attempts group by attempt_id having bool_and(state in ('intent', 'unknown'))"
    return flow.warehouse.read(query).rows()


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: death.name)
def test_the_run_after_a_death_mends_everything(graves: Path, death: Death) -> None:
    """Wherever the process ended: nothing lost, nothing twice, nothing of others touched, and one run is enough."""
    folder = graves / death.name
    world = Sandbox(folder / "sandbox")
    assert (folder / "exit_code").read_text() == ("-9" if death.how == "kill" else "1")
    others = foreign(world)
    shown(world, death.system)  # nothing is there twice, even before anything was mended

    with opened(folder, death.system) as flow:
        flow.run()
        assert shown(world, death.system) == WANTED[death.system]
        assert foreign(world) == others
        ledger_is_true(flow, world, death)

    with opened(folder, death.system) as flow:
        flow.runs, done = iter([7]), writes(world)
        assert {action for action, _ in flow.run().values()} <= {"unchanged", "skipped"}
        assert writes(world) == done


def ledger_is_true(flow: Flow, world: Sandbox, death: Death) -> None:
    """Every attempt has its end, the target counts as many writes as we do, and nobody claims to be sending."""
    assert open_ends(flow) == []
    if death.system == "precoro":  # one record a call
        served = [call for call in world.precoro.log() if call["method"] != "GET" and call["status"] < 300]
        mine = flow.table("sync_attempts").filter(pl.col("workflow") == "precoro")
        arrived = mine.filter(pl.col("state").is_in(["confirmed", "found"]))["attempt_id"].n_unique()
        untold = mine.filter(pl.col("state") == "untold").height  # a move, and Precoro does not tell parents
        assert arrived <= len(served) <= arrived + untold
        assert untold <= 1
    runs = dict(flow.table("sync_runs").filter(pl.col("workflow") == death.system).select("run_id", "state").rows())
    states = set(flow.table("sync_plans")["state"])
    finished = death.failpoint.startswith("publish") or death.failpoint == "bookkeeping_done"
    never_took = {"mart_made": None, "twin_read": None, "plan_begins": "read", "plan_kept": "planned"}
    assert runs.get("killed") == ("finished" if finished else never_took.get(death.failpoint, "died"))
    assert ("died" in states) == (runs.get("killed") == "died")
    assert "sending" not in {*runs.values(), *states}


@pytest.mark.parametrize("death", [each for each in DEATHS if "publish" in each.failpoint], ids=lambda each: each.name)
def test_readers_keep_a_whole_snapshot(graves: Path, death: Death) -> None:
    """A half copy is never seen, and does not lie about for ever."""
    warehouse = Warehouse(graves / death.name / "warehouse")
    assert warehouse.snapshot.exists() == (death.failpoint == "publish_done")

    warehouse.publish()

    assert list(warehouse.folder.glob(".analyst*")) == []
    with duckdb.connect(str(warehouse.snapshot), read_only=True) as con:
        assert con.execute("select count(*) from sync_runs").fetchall()[0][0] >= 2


def test_every_failpoint_has_its_death() -> None:
    """A place that nobody dies at proves nothing."""
    assert {death.failpoint for death in DEATHS} == failpoints.FAILPOINTS.keys()


def test_an_unknown_failpoint_is_an_error() -> None:
    """A typo would pass every test."""
    with pytest.raises(ValueError, match="no failpoint intents"):
        failpoints.arm("intents")


# --- what else can happen on the way --------------------------------------------------------------------------------


def settled(flow: Flow, world: Sandbox, system: str, runs: int = 2) -> None:
    """After so many runs the target is as it should be, and a further one writes nothing."""
    for _ in range(runs):
        flow.run()
    assert shown(world, system) == WANTED[system]
    assert open_ends(flow) == []
    done = writes(world)
    flow.run()
    assert writes(world) == done


@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.CUT, FaultKind.DONE_500, FaultKind.TRUNCATED])
@pytest.mark.parametrize("system", ["precoro", "suiteprojects"])
def test_answers_that_do_not_arrive_are_looked_up(
    sandbox: Sandbox, precoro: Flow, suiteprojects: Flow, system: str, kind: FaultKind
) -> None:
    """The work was done each time; half of the answers are spoiled."""
    flow = {"precoro": precoro, "suiteprojects": suiteprojects}[system]
    flow.spec = SUITE if system == "suiteprojects" else flow.spec
    before(flow)
    flow.run()
    after(flow)
    pattern = {"precoro": "options", "suiteprojects": "<Add |<Modify "}[system]
    for method in ("POST", "PUT", "PATCH"):
        sandbox.faults.plan(system, Fault(kind, method, pattern, times=2))

    settled(flow, sandbox, system)


def allow(sandbox: Sandbox, system: str, more: int) -> None:
    """So many calls more today."""
    if system == "precoro":
        sandbox.switches.set("precoro", PrecoroSwitches, calls_per_day=sandbox.precoro.calls_made() + more)
    else:
        most = sandbox.suiteprojects.calls_made() + more
        sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_day=most)


@pytest.mark.parametrize("system", ["precoro", "suiteprojects"])
def test_the_days_allowance_ends_in_the_middle(
    sandbox: Sandbox, precoro: Flow, suiteprojects: Flow, system: str
) -> None:
    """What was sent is confirmed, the rest is not sent, and comes tomorrow."""
    flow = {"precoro": precoro, "suiteprojects": suiteprojects}[system]
    if isinstance(flow.target, SuiteProjectsTarget):
        flow.spec, flow.target.batch_size = SUITE, 1
    before(flow)
    flow.run()
    after(flow)
    flow.plan("short")
    allow(sandbox, system, 2)

    synced = flow.send("short")

    assert synced.counts["failed"] > 0
    assert sum(synced.counts[each] for each in ("created", "updated", "deactivated")) > 0
    assert dict(flow.table("sync_runs").select("run_id", "state").rows())["short"] == "partial"
    allow(sandbox, system, 3000)
    sandbox.clock.sleep(86_400)
    settled(flow, sandbox, system, 1)


def test_a_token_that_ends_between_two_batches_is_renewed(
    sandbox: Sandbox, suiteprojects: Flow, tmp_path: Path
) -> None:
    """An access token lives an hour; a long run lives longer."""
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
        suiteprojects.target, suiteprojects.spec = target, SUITE
        before(suiteprojects)
        suiteprojects.run()
        after(suiteprojects)
        failpoints.arm("intents_kept", skip=1, strike=lambda: sandbox.clock.advance(3600))

        decisions = suiteprojects.run()

        assert "failed" not in {action for action, _ in decisions.values()}
        settled(suiteprojects, sandbox, "suiteprojects", 1)


def test_two_runs_at_once_send_each_record_once(sandbox: Sandbox, precoro: Flow, tmp_path: Path) -> None:
    """Two processes start together; what both want to create is there once, whoever was first."""
    before(precoro)
    code = (
        "import sys; from pathlib import Path; from tests.assets.delivery.killed_runs import opened\n"
        "from assets.delivery.ledger.plans import SyncError\n"
        "with opened(Path(sys.argv[1]), 'precoro') as flow:\n"
        "    try:\n        flow.plan(sys.argv[2]); flow.send(sys.argv[2])\n"
        "    except SyncError as error:\n        print(error)"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), f"both {n}"], cwd=ROOT) for n in range(2)]

    assert [each.wait(120) for each in both] == [0, 0]

    assert len(shown(sandbox, "precoro")) == 6
    precoro.name = "precoro"
    after(precoro)
    settled(precoro, sandbox, "precoro", 1)


def test_a_plan_from_before_somebodys_send_is_not_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    """It was made from a target that has changed since: its creates would be there twice."""
    with opened(tmp_path, "precoro") as slow, opened(tmp_path, "precoro") as quick:
        before(slow)
        slow.plan("slow")
        failpoints.arm("plan_taken", strike=lambda: quick.plan("quick"))
        slow.send("slow")

        with pytest.raises(PlanError, match="another run sent records after this plan's target was read"):
            quick.send("quick")

    assert len(shown(sandbox, "precoro")) == 6


def test_a_plan_from_before_somebodys_death_is_not_made(sandbox: Sandbox, tmp_path: Path) -> None:
    """The target state does not show what the dead run created; only a fresh look does."""
    with opened(tmp_path, "precoro") as flow:
        before(flow)
        flow.plan("killed")
        failpoints.arm("answers_read", strike=_raise)
        with pytest.raises(KeyboardInterrupt):
            flow.send("killed")

        with pytest.raises(PlanError, match="materialize target_precoro and plan_precoro again"):
            make_plan(flow.warehouse, flow.workflow, flow.target, run_id="again", clock=flow.clock)

    with opened(tmp_path, "precoro") as flow:
        flow.run()
    assert len(shown(sandbox, "precoro")) == 6


def _raise() -> None:
    raise KeyboardInterrupt


def test_a_project_that_moved_while_the_run_died_moves_on(sandbox: Sandbox, tmp_path: Path) -> None:
    """Precoro does not tell parents: it took the move, nobody heard of it, and NetSuite moved it back."""
    with opened(tmp_path, "precoro") as flow:
        flow.stage(customer("1"), customer("2"), below=(project("100"),)).run()
        flow.stage(customer("1"), customer("2"), below=(project("100", customer_id="2"),)).plan("killed")
        failpoints.arm("answers_read", strike=_raise)
        with pytest.raises(KeyboardInterrupt):
            flow.send("killed")
        assert shown(sandbox, "precoro")["100"][2] == "2"

    with opened(tmp_path, "precoro") as flow:
        flow.runs = iter(range(5, 9))
        flow.stage(customer("1"), customer("2"), below=(project("100"),)).run()
        assert shown(sandbox, "precoro")["100"][2] == "1"
        assert flow.run()["100"] == ("unchanged", "identical")


def test_a_project_that_moves_after_the_run_died_moves(sandbox: Sandbox, tmp_path: Path) -> None:
    """Every answer was heard and no link written: where the project was put is only in the attempts."""
    with opened(tmp_path, "precoro") as flow:
        flow.stage(customer("1"), customer("2"), below=(project("100"),)).plan("killed")
        failpoints.arm("answers_kept", strike=_raise)
        with pytest.raises(KeyboardInterrupt):
            flow.send("killed")

    with opened(tmp_path, "precoro") as flow:
        flow.stage(customer("1"), customer("2"), below=(project("100", customer_id="2"),)).run()
        assert shown(sandbox, "precoro")["100"][2] == "2"


def test_what_was_deleted_and_restored_is_live_again(sandbox: Sandbox, precoro: Flow) -> None:
    """How the target showed it switched off is not what the target makes of our values."""
    precoro.stage(customer("1")).run()
    for _ in range(2):
        precoro.stage(customer("1", is_deleted=True)).run()

    assert precoro.stage(customer("1")).run()["1"][0] == "reactivate"
    assert shown(sandbox, "precoro")["1"] == ("Company 1", True, None)


def test_our_key_is_put_back_however_often_it_is_cleared(sandbox: Sandbox, precoro: Flow) -> None:
    """Only the link knows the record until then; without both it would be made a second time."""
    precoro.stage(customer("1")).run()
    for _ in range(3):
        sandbox.precoro.edit_option(sandbox.precoro.options()[-1]["option_id"], external_id=None)
        sandbox.clock.advance(120)
        precoro.run()
        assert "1" in shown(sandbox, "precoro")


def test_a_full_disk_says_what_to_do(graves: Path) -> None:
    """The commit fails in DuckDB's own words; the operator reads ours."""
    warehouse = Warehouse(graves / "precoro-bookkeeping_begins-0-full" / "warehouse")
    code = (
        "import sys; from pathlib import Path; import polars as pl\n"
        "from resources.warehouse.warehouse import Warehouse\n"
        "from tests.assets.delivery.killed_runs import full_disk; full_disk()\n"
        "Warehouse(Path(sys.argv[1])).replace('big', pl.DataFrame({'a': list(range(9999))}))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(warehouse.folder)], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert WarehouseError.__name__ in told.stderr
    assert "the disk has room" in told.stderr
