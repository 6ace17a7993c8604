"""Any part of a workflow's assets can be selected after a run died: nothing is made twice, nothing stale is sent.

A person who reads one asset's message materializes just that one, so each of the 15 subsets of mart, target state,
plan and sync is a run of its own, after a kill at every failpoint of a delivery.
"""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from assets.delivery.errors import SyncError
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.tables import replace_table
from tests.assets.delivery.builders import customer, customers
from tests.assets.delivery.killed_first_runs import DEAD, stage
from tests.assets.delivery.killed_runs import SPECS, opened
from tests.assets.delivery.run_workflow import ASSETS, SUBSETS, WorkflowRunner, materialize

ROOT = Path(__file__).parents[3]
ENDS = (
    "mart_made", "target_state_read", "plan_begins", "plan_kept", "plan_taken", "intents_begin", "intents_kept",
    "request_served", "answers_read", "answers_kept", "bookkeeping_begins", "bookkeeping_open", "bookkeeping_done",
)  # fmt: skip
FULL = ("answers_read-full_disk", "bookkeeping_begins-full_disk", "bookkeeping_open-full_disk")
SHORT = {("precoro", "request_served"), ("suiteprojects", "bookkeeping_begins")}  # the others take a second a subset
CASES = [
    pytest.param(system, end, marks=() if (system, end) in SHORT else pytest.mark.long)
    for system in SPECS
    for end in (*ENDS, *FULL)
]


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Return the folder of a first run that ended at a failpoint; the caller works in a copy of it."""
    folder = tmp_path_factory.mktemp("deaths")

    def died(system: str, end: str) -> Path:
        home = folder / f"{system}-{end}"
        if not home.exists():
            command = [sys.executable, "-m", "tests.assets.delivery.killed_first_runs", str(home), system, end]
            done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        return home

    return died


def select(runner: WorkflowRunner, subset: tuple[str, ...], run_id: str) -> str:
    """Materialize some assets of a workflow in their order; return the message of the one that failed."""
    try:
        materialize(runner, subset, run_id)
    except SyncError as error:
        return str(error)
    return ""


def keys(folder: Path, system: str) -> Counter[str]:
    """Count our records in the target by key."""
    sandbox = Sandbox(folder / "sandbox")
    if system == "precoro":
        return Counter(row["external_id"] for row in sandbox.precoro.options() if row["external_id"])
    return Counter(row["externalid"] for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid"))


@pytest.mark.parametrize("run_id", ["another run", pytest.param(DEAD, marks=pytest.mark.long)])
@pytest.mark.parametrize(("system", "end"), CASES)
def test_every_subset_after_a_kill_makes_nothing_twice(
    tmp_path: Path, deaths: Callable[[str, str], Path], system: str, end: str, run_id: str
) -> None:
    """In another run, or as a step that is retried in the same one. Afterwards a whole run completes the records."""
    expected = {"1", "2", "100"} if system == "precoro" else {"1", "2"}
    for subset in SUBSETS:
        folder = tmp_path / "-".join(subset)
        shutil.copytree(deaths(system, end), folder)
        with opened(folder, system) as runner:
            message = select(runner, subset, run_id)
            assert not message or "materialize" in message
            assert max(keys(folder, system).values(), default=0) <= 1, subset
            if subset == ASSETS:
                assert not message
                assert set(keys(folder, system)) == expected
        if "sync" in subset:
            with opened(folder, system) as runner:
                assert select(runner, ASSETS, "whole") == ""
            assert keys(folder, system) == Counter(dict.fromkeys(expected, 1)), subset
        shutil.rmtree(folder)


@pytest.mark.parametrize("system", SPECS)
def test_a_plan_alone_names_the_target_state_that_is_out_of_date(
    tmp_path: Path, deaths: Callable[[str, str], Path], system: str
) -> None:
    """All outcomes are in the ledger, so no attempt is open; but the stored target state lacks the records."""
    folder = Path(shutil.copytree(deaths(system, "bookkeeping_begins"), tmp_path / "home"))
    with opened(folder, system) as runner:
        message = select(runner, ("plan", "sync"), "alone")
        assert f"materialize target_{system} and plan_{system} again" in message
        assert select(runner, ("target", "plan", "sync"), "three") == ""


def test_a_sink_twice_sends_once(precoro: WorkflowRunner) -> None:
    """The second time it names the plan to materialize."""
    stage(precoro)
    precoro.plan("planned")
    assert select(precoro, ("sync",), "one") == ""
    assert "is sent; make a new one: `millpond plan flow`" in select(precoro, ("sync",), "two")


def test_a_new_mart_with_an_old_target_state_is_compared_with_the_target_again(
    precoro: WorkflowRunner, sandbox: Sandbox
) -> None:
    """Since that target state was read, a person edited one record, and added one with our key."""
    precoro.stage(customer("1"), customer("2")).run()
    renamed = {"company_name": "Planned"}
    precoro.stage(customer("1", **renamed), customer("2", **renamed), customer("3"))
    option = next(row for row in sandbox.precoro.options() if row["external_id"] == "2")
    sandbox.precoro.edit_option(option["option_id"], name="Edited")
    sandbox.precoro.add_option("Manual", external_id="3")
    sandbox.clock.sleep(61)

    assert select(precoro, ("mart", "plan", "sync"), "without the target") == ""

    found = Counter((row["external_id"], row["name"]) for row in sandbox.precoro.options() if row["external_id"])
    assert found == Counter([("1", "Planned"), ("2", "Edited"), ("3", "Manual")])


def test_a_mart_older_than_its_sources_is_not_planned(precoro: WorkflowRunner) -> None:
    """A run that made the mart itself plans from it, whatever another run has staged meanwhile."""
    stage(precoro)
    make_mart(precoro.warehouse, precoro.workflow, run_id="first")
    read_target_state(precoro.context("first"))
    with precoro.warehouse.writer() as con:
        replace_table(con, "stg_netsuite__customers", customers(customer("1", company_name="New")))
        con.execute(
            "create table stg_builds as select 'stg_netsuite__customers' as staging_table,"
            " 'raw_netsuite__customers' as raw_table, now()::timestamp as through, 'hash' as statement_hash"
        )

    assert "mart_flow is older than its records" in select(precoro, ("target", "plan", "sync"), "second")
    assert select(precoro, ("plan",), "first") == ""
    assert select(precoro, ("mart", "plan"), "second") == ""


def test_a_sink_alone_sends_nothing_that_changed_since(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Its plan was made by another run: the mart is newer, and a person edited the target."""
    precoro.stage(customer("1"), customer("2"), customer("3")).run()
    planned = [customer(each, company_name=f"Planned {each}") for each in "123"]
    precoro.stage(*planned).plan("planned")
    precoro.stage(customer("1", company_name="Newer"), *planned[1:])
    make_mart(precoro.warehouse, precoro.workflow)
    option = next(row for row in sandbox.precoro.options() if row["external_id"] == "2")
    sandbox.precoro.edit_option(option["option_id"], name="Edited")
    sandbox.clock.sleep(61)

    assert select(precoro, ("sync",), "alone") == ""

    found = {row["external_id"]: row["name"] for row in sandbox.precoro.options() if row["external_id"]}
    assert found == {"1": "Company 1", "2": "Edited", "3": "Planned 3"}


@pytest.mark.parametrize(("subset", "named"), [(("plan",), "mart_flow and target_flow"), (("sync",), "plan_flow")])
def test_an_asset_selected_before_its_tables_exist_names_what_is_missing(
    precoro: WorkflowRunner, subset: tuple[str, ...], named: str
) -> None:
    """Not the database's own message."""
    stage(precoro)
    assert f"materialize {named} first" in select(precoro, subset, "alone")
