"""One workflow from the warehouse to its target and into the ledger."""

import subprocess
import sys

import polars as pl
import pytest

from assets.delivery.errors import MappingError, SyncError
from assets.delivery.ledger.tables import LEDGER_TABLES
from assets.delivery.mart.build import make_mart
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.connect import open_suiteprojects
from tests.assets.delivery.builders import customer, one_source, option_tree, project, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner


def parents_of(sandbox: Sandbox) -> dict[str, str | None]:
    """Return the key of the parent of each of our options."""
    options = sandbox.precoro.options()
    keys = {option["option_id"]: option["external_id"] for option in options}
    return {option["external_id"]: keys.get(option["parent_id"]) for option in options if option["external_id"]}


@pytest.mark.long
def test_a_run_updates_links_and_target_state(precoro: WorkflowRunner) -> None:
    """The next decision starts from them, and analysts read them."""
    precoro.stage(customer("1"), customer("2", is_inactive=True), below=(project("100"),)).run()

    links = precoro.table("sync_links").sort("source_id")
    target_state = precoro.table("target_flow")
    precoro.plan("later")

    ids = dict(target_state.filter(pl.col("external_id").is_not_null()).select("external_id", "target_id").rows())
    assert links.select("source_id", "target_id", "parent_target_id", "matched_by").rows() == [
        ("1", ids["1"], None, "created"),
        ("100", ids["100"], ids["1"], "created"),
    ]
    columns = ["target_id", "external_id", "is_active", "name", "enable"]
    read_back = precoro.table("target_flow").select(columns).sort("target_id")
    assert target_state.select(columns).sort("target_id").equals(read_back)


def test_foreign_records_are_in_the_target_state_and_unchanged(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Three options existed before ours."""
    before = sandbox.precoro.options()

    precoro.stage(customer("1", company_name="Internal")).run()

    assert sandbox.precoro.options()[:3] == before
    assert precoro.table("target_flow").filter(pl.col("external_id").is_null()).height == 3


@pytest.mark.long
def test_a_record_that_was_deleted_between_plan_and_send_is_created_by_the_next_run(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """The target rejected an update, which says nothing about a create."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", company_name="Renamed")).plan("planned")
    (key,) = (int(row["id"]) for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1")
    sandbox.suiteprojects.delete("Customer", key)
    suiteprojects.send("planned")

    assert suiteprojects.attempts("1")[-1][2] == "rejected"
    assert suiteprojects.run() == {"1": ("create", "new")}


def test_a_plan_is_sent_once(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """It was made from a target state that sending changes."""
    precoro.stage(customer("1")).plan("first")
    precoro.send("first")

    with pytest.raises(SyncError, match="is sent; make a new one: `millpond plan flow`"):
        precoro.send("second")

    assert len(parents_of(sandbox)) == 1


def test_without_a_plan_nothing_is_sent(precoro: WorkflowRunner) -> None:
    """The error says what to do."""
    with pytest.raises(SyncError, match="no plan yet; make a new one: `millpond plan flow`"):
        precoro.send("first")


@pytest.mark.long
def test_an_unchanged_run_adds_no_rows(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Decisions, attempts and links do not grow with the number of runs, and nothing is written to the target."""
    precoro.stage(customer("1"), customer("2", company_name="n" * 300)).run()
    precoro.run()  # created becomes unchanged
    sizes = [precoro.table(name).height for name in ("sync_decisions", "sync_attempts", "sync_links")]
    writes, links = sandbox.precoro.write_calls(), precoro.table("sync_links")

    precoro.run()

    assert [precoro.table(name).height for name in ("sync_decisions", "sync_attempts", "sync_links")] == sizes
    assert sandbox.precoro.write_calls() == writes
    assert precoro.table("sync_links").equals(links)


@pytest.mark.long
def test_decisions_are_the_history_of_a_record(precoro: WorkflowRunner) -> None:
    """Created, unchanged, deleted."""
    for now in ({}, {}, {"is_deleted": True}):
        precoro.stage(customer("1", **now)).run()

    found = precoro.table("sync_decisions").sort("from_at").select("action", "reason_code", "from_run", "to_run").rows()

    assert found == [
        ("create", "new", "run 0", "run 1"),
        ("unchanged", "identical", "run 1", "run 2"),
        ("deactivate", "deleted", "run 2", None),
    ]


def test_a_run_is_recorded(precoro: WorkflowRunner) -> None:
    """Its row has counts by final action, calls, and a state."""
    precoro.stage(customer("1"), customer("2", company_name=None), customer("3", is_inactive=True)).run()

    run = precoro.table("sync_runs").to_dicts()[0]

    assert (run["state"], run["source_records"], run["calls"]) == ("finished", 3, precoro.target.calls)
    assert (run["created"], run["quarantined"], run["skipped"], run["failed"]) == (1, 1, 1, 0)
    assert run["workflow_version"] == precoro.spec.version
    assert run["started_at"] <= run["finished_at"]


@pytest.mark.long
@pytest.mark.parametrize("system", ["precoro", "suiteprojects"])
def test_without_its_ledger_nothing_is_created_twice(
    precoro: WorkflowRunner, suiteprojects: WorkflowRunner, sandbox: Sandbox, system: str
) -> None:
    """The target has our keys, so the ledger can be rebuilt."""
    flow = {"precoro": precoro, "suiteprojects": suiteprojects}[system]
    flow.spec = flow.spec if system == "precoro" else suite_customers()
    flow.stage(customer("1"), customer("2"), below=(project("100"),)).run()
    links = set(flow.table("sync_links").select("source_id", "target_id").rows())
    before = sandbox.precoro.options(), sandbox.suiteprojects.rows("Customer")
    with flow.warehouse.writer() as con:
        for name in LEDGER_TABLES:
            con.execute(f"drop table {name}")

    decisions = flow.run()

    assert set(decisions.values()) == {("unchanged", "identical")}
    assert (sandbox.precoro.options(), sandbox.suiteprojects.rows("Customer")) == before
    assert set(flow.table("sync_links").select("source_id", "target_id").rows()) == links


@pytest.mark.long
def test_a_project_moves_to_a_customer_created_in_the_same_run(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Precoro does not return parents: the link has the old one, then the new one."""
    precoro.stage(customer("1"), below=(project("100"),)).run()

    decisions = precoro.stage(customer("1"), customer("2"), below=(project("100", customer_id="2"),)).run()

    assert decisions["100"] == ("update", "source_changed")
    assert parents_of(sandbox) == {"1": None, "2": None, "100": "2"}
    assert precoro.run()["100"] == ("unchanged", "identical")
    assert precoro.stage(customer("1"), customer("2"), below=(project("100"),)).run()["100"][0] == "update"
    assert parents_of(sandbox)["100"] == "1"


@pytest.mark.long
def test_a_manual_edit_is_restored_as_drift(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """The reason code explains to the target's users who changed it back."""
    precoro.stage(customer("1")).run()
    option = sandbox.precoro.options()[-1]
    sandbox.precoro.edit_option(option["option_id"], name="edited")
    sandbox.clock.sleep(120)

    assert precoro.run() == {"1": ("update", "drift")}
    assert sandbox.precoro.options()[-1]["name"] == "Company 1"


@pytest.mark.long
def test_a_change_of_the_workflow_file_has_its_own_reason(precoro: WorkflowRunner) -> None:
    """No record was edited."""
    precoro.stage(customer("1")).run()
    rows = [row.model_dump(by_alias=True, exclude_none=True) for row in precoro.spec.records[0].rows]
    precoro.spec = one_source(fields=[*rows, {"field": "code", "from": "entity_number"}])

    assert precoro.run() == {"1": ("update", "workflow_changed")}


@pytest.mark.long
def test_a_rejected_record_is_retried_after_it_changed(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Not before: the call would count, and the response would be the same."""
    sandbox.switches.set("precoro", PrecoroSwitches, name_limit=12)
    precoro.stage(customer("1", company_name="much too long")).run()
    writes = sandbox.precoro.write_calls()

    assert precoro.run()["1"][0] == "quarantined"
    assert sandbox.precoro.write_calls() == writes
    assert precoro.stage(customer("1", company_name="short")).run() == {"1": ("create", "new")}


@pytest.mark.long
def test_a_rejected_record_is_retried_after_its_parent_changed(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """The target rejected it because of its inactive parent; the record itself did not change."""
    sandbox.switches.set("precoro", PrecoroSwitches, parent_must_be_enabled=True)
    precoro.spec = option_tree(drift="report")
    precoro.stage(customer("1")).run()
    above = next(each["option_id"] for each in sandbox.precoro.options() if each["external_id"] == "1")
    sandbox.precoro.edit_option(above, enable=0)
    sandbox.clock.sleep(120)
    precoro.stage(customer("1"), below=(project("100"),))
    assert precoro.run()["100"] == ("quarantined", "rejected_400")
    writes = sandbox.precoro.write_calls()
    sandbox.clock.sleep(120)
    assert precoro.run()["100"] == ("quarantined", "rejected_400")
    assert sandbox.precoro.write_calls() == writes

    sandbox.precoro.edit_option(above, enable=1)
    done = []
    for _ in range(2):
        sandbox.clock.sleep(120)
        done.append(precoro.run()["100"][0])

    assert done == ["quarantined", "create"]


@pytest.mark.long
def test_a_rejected_update_is_retried_after_an_edit_in_the_target(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """The target's record differs from the one that it did not change: try once, and not again."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, strict_lengths={"Customer.company": 10})
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", company_name="Much too long")).run()

    def writes() -> int:
        before = sandbox.suiteprojects.write_calls()
        assert suiteprojects.run()["1"] == ("quarantined", "rejected_2001")
        return sandbox.suiteprojects.write_calls() - before

    assert writes() == 0
    (key,) = (int(row["id"]) for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1")
    sandbox.suiteprojects.modify("Customer", key, company="edited")
    assert [writes(), writes()] == [1, 0]


@pytest.mark.long
def test_two_workflows_have_separate_ledgers(precoro: WorkflowRunner) -> None:
    """Each workflow has its own links, decisions and tables."""
    precoro.stage(customer("1")).run()
    precoro.name = "other"

    precoro.run()

    links = precoro.table("sync_links").sort("workflow")
    assert links.select("workflow", "matched_by").rows() == [("flow", "created"), ("other", "external_id")]


def test_a_mart_needs_its_tables(precoro: WorkflowRunner) -> None:
    """They are missing before the first run, or after a typo in `source:`."""
    with pytest.raises(MappingError, match="flow: there is no table stg_netsuite__customers yet"):
        make_mart(precoro.warehouse, precoro.workflow)

    precoro.spec = one_source(source="custmers")
    with pytest.raises(MappingError, match="no source `custmers`"):
        make_mart(precoro.warehouse, precoro.workflow)


def test_tables_and_columns_have_comments(precoro: WorkflowRunner) -> None:
    """Analysts read the comments, so none may be missing."""
    precoro.stage(customer("1")).run()

    uncommented = precoro.warehouse.read(
        "select table_name, column_name from duckdb_columns() where comment is null"
        " and regexp_matches(table_name, '^(mart|target|plan|sync)_flow$')"
    )

    assert uncommented.rows() == []


def test_a_run_waits_for_the_writer_lock(precoro: WorkflowRunner) -> None:
    """The kernel releases the lock of a process that dies."""
    path = precoro.warehouse.folder / "precoro.lock"
    holder = (
        "import fcntl, os, sys, time\n"
        "lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True); time.sleep(0.5)"
    )
    precoro.stage(customer("1")).plan("first")
    with subprocess.Popen([sys.executable, "-c", holder, str(path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"

        synced = precoro.send("first")
        assert other.poll() is not None or other.wait(5) == 0

    assert synced.counts["created"] == 1


# --- SuiteProjects Pro ---------------------------------------------------------------------------------------------

SUITE_ROWS = [
    {"field": "externalid", "from": "customer_id", "locked": True},
    {"field": "name", "from": "entity_number"},
    {"field": "company", "from": "company_name"},
    {"field": "active", "value": True},
    {"field": "notes", "value": "From NetSuite", "on": "create"},
]


def test_customers_are_adopted_updated_and_deactivated(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """A batch is one request, and a record that a person created is adopted."""
    suiteprojects.spec = one_source(
        target="suiteprojects.Customer", fields=SUITE_ROWS, match=[{"field": "name", "ignore_case": True}]
    )
    manual = sandbox.suiteprojects.add("Customer", name="c2", company="Company 2", notes="keep")
    rows = [customer("1"), customer("2"), customer("3")]

    first = suiteprojects.stage(*rows).run()
    rows = [customer("1", company_name="New"), customer("2", is_deleted=True), customer("3")]
    second = suiteprojects.stage(*rows).run()

    assert first == {"1": ("create", "new"), "2": ("adopt", "matched"), "3": ("create", "new")}
    assert second == {
        "1": ("update", "source_changed"),
        "2": ("deactivate", "deleted"),
        "3": ("unchanged", "identical"),
    }
    kept = {row["externalid"]: row for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid")}
    assert (kept["1"]["company"], kept["1"]["notes"]) == ("New", "From NetSuite")
    assert (kept["2"]["id"], kept["2"]["name"], kept["2"]["notes"]) == (str(manual), "C2", "keep")
    assert kept["2"].get("active", "0") in {"0", ""}
    assert {action for action, _ in suiteprojects.run().values()} == {"unchanged"}


def test_a_project_moves_to_another_customer(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """Its customer belongs to another workflow; the parent's id is sent in the target's own field."""
    owner = [str(sandbox.suiteprojects.add("Customer", name=f"C{number}")) for number in (1, 2)]
    fields = [
        {"field": "externalid", "from": "project_id", "locked": True},
        {"field": "name", "from": "project_name"},
        {"field": "customerid", "from": "customer_id"},
        {"field": "active", "value": True},
    ]
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        suiteprojects.target = SuiteProjectsTarget(client, "Project")
        suiteprojects.spec = one_source(target="suiteprojects.Project", source="projects", fields=fields)
        suiteprojects.stage(below=(project("100", customer_id=owner[0]),)).run()

        moved = suiteprojects.stage(below=(project("100", customer_id=owner[1]),)).run()
        again = suiteprojects.run()

    assert moved == {"100": ("update", "source_changed")}
    assert again == {"100": ("unchanged", "identical")}
    kept = next(row for row in sandbox.suiteprojects.rows("Project") if row.get("externalid") == "100")
    assert kept["customerid"] == owner[1]


def test_a_run_records_the_calls_left_of_the_day(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Precoro limits the calls of a day; a target without a limit reports none."""
    precoro.stage(customer("1"), customer("2")).run()

    found = precoro.table("sync_runs").select("calls", "calls_left").row(0)
    assert found == (len(sandbox.precoro.call_log()), 3000 - len(sandbox.precoro.call_log()))
