"""One workflow from warehouse to target, and what is remembered of it."""

import subprocess
import sys

import polars as pl
import pytest

from assets.delivery.ledger.ledger import LEDGER
from assets.delivery.ledger.plans import SyncError
from assets.delivery.mart.build import make_mart
from assets.delivery.spec.expressions import MappingError
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.connect import open_suiteprojects
from tests.assets.delivery.builders import customer, one_source, option_tree, project, suite_customers
from tests.assets.delivery.run_workflow import Flow


def places(sandbox: Sandbox) -> dict[str, str | None]:
    """The key of each of our options' parents."""
    options = sandbox.precoro.options()
    keys = {option["option_id"]: option["external_id"] for option in options}
    return {option["external_id"]: keys.get(option["parent_id"]) for option in options if option["external_id"]}


def test_a_run_leaves_links_and_twin_as_the_target_is(precoro: Flow) -> None:
    """The next decision starts from there, and so does who looks into the warehouse."""
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


def test_records_of_others_are_in_the_twin_and_untouched(precoro: Flow, sandbox: Sandbox) -> None:
    """Three options were there before us."""
    before = sandbox.precoro.options()

    precoro.stage(customer("1", company_name="Internal")).run()

    assert sandbox.precoro.options()[:3] == before
    assert precoro.table("target_flow").filter(pl.col("external_id").is_null()).height == 3


def test_a_plan_is_sent_once(precoro: Flow, sandbox: Sandbox) -> None:
    """It says what the target was like; afterwards the target is another."""
    precoro.stage(customer("1")).plan("first")
    precoro.send("first")

    with pytest.raises(SyncError, match="is sent; materialize plan_flow again"):
        precoro.send("second")

    assert len(places(sandbox)) == 1


def test_without_a_plan_nothing_is_sent(precoro: Flow) -> None:
    """The text says what to do."""
    with pytest.raises(SyncError, match="there is no plan; materialize plan_flow first"):
        precoro.send("first")


def test_an_unchanged_run_adds_no_rows(precoro: Flow, sandbox: Sandbox) -> None:
    """Neither decisions nor attempts nor links grow with the number of runs, and the target is not called to write."""
    precoro.stage(customer("1"), customer("2", company_name="n" * 300)).run()
    precoro.run()  # created becomes unchanged
    sizes = [precoro.table(name).height for name in ("sync_decisions", "sync_attempts", "sync_links")]
    writes, links = sandbox.precoro.write_calls(), precoro.table("sync_links")

    precoro.run()

    assert [precoro.table(name).height for name in ("sync_decisions", "sync_attempts", "sync_links")] == sizes
    assert sandbox.precoro.write_calls() == writes
    assert precoro.table("sync_links").equals(links)


def test_spells_tell_the_history_of_a_record(precoro: Flow) -> None:
    """Created, unchanged, gone."""
    for now in ({}, {}, {"is_deleted": True}):
        precoro.stage(customer("1", **now)).run()

    told = precoro.table("sync_decisions").sort("from_at").select("action", "reason_code", "from_run", "to_run").rows()

    assert told == [
        ("create", "new", "run 0", "run 1"),
        ("unchanged", "identical", "run 1", "run 2"),
        ("deactivate", "deleted", "run 2", None),
    ]


def test_a_run_is_counted(precoro: Flow) -> None:
    """Counts by final action, calls and state."""
    precoro.stage(customer("1"), customer("2", company_name=None), customer("3", is_inactive=True)).run()

    run = precoro.table("sync_runs").to_dicts()[0]

    assert (run["state"], run["source_records"], run["calls"]) == ("finished", 3, precoro.target.calls)
    assert (run["created"], run["quarantined"], run["skipped"], run["failed"]) == (1, 1, 1, 0)
    assert run["workflow_version"] == precoro.spec.version
    assert run["started_at"] <= run["finished_at"]


@pytest.mark.parametrize("system", ["precoro", "suiteprojects"])
def test_without_its_ledger_nothing_is_made_twice(
    precoro: Flow, suiteprojects: Flow, sandbox: Sandbox, system: str
) -> None:
    """The target carries our key; the tables are a memory, not the truth."""
    flow = {"precoro": precoro, "suiteprojects": suiteprojects}[system]
    flow.spec = flow.spec if system == "precoro" else suite_customers()
    flow.stage(customer("1"), customer("2"), below=(project("100"),)).run()
    links = set(flow.table("sync_links").select("source_id", "target_id").rows())
    before = sandbox.precoro.options(), sandbox.suiteprojects.rows("Customer")
    with flow.warehouse.writer() as con:
        for name in LEDGER:
            con.execute(f"drop table {name}")

    decisions = flow.run()

    assert set(decisions.values()) == {("unchanged", "identical")}
    assert (sandbox.precoro.options(), sandbox.suiteprojects.rows("Customer")) == before
    assert set(flow.table("sync_links").select("source_id", "target_id").rows()) == links


def test_a_project_moves_with_its_customer_being_made_in_the_same_run(precoro: Flow, sandbox: Sandbox) -> None:
    """Precoro does not tell parents: the link remembers, and forgets neither the old place nor the new one."""
    precoro.stage(customer("1"), below=(project("100"),)).run()

    decisions = precoro.stage(customer("1"), customer("2"), below=(project("100", customer_id="2"),)).run()

    assert decisions["100"] == ("update", "source_changed")
    assert places(sandbox) == {"1": None, "2": None, "100": "2"}
    assert precoro.run()["100"] == ("unchanged", "identical")
    assert precoro.stage(customer("1"), customer("2"), below=(project("100"),)).run()["100"][0] == "update"
    assert places(sandbox)["100"] == "1"


def test_an_edit_by_hand_is_restored_and_called_drift(precoro: Flow, sandbox: Sandbox) -> None:
    """The target's people ask who changed it back."""
    precoro.stage(customer("1")).run()
    option = sandbox.precoro.options()[-1]
    sandbox.precoro.edit_option(option["option_id"], name="by hand")
    sandbox.clock.sleep(120)

    assert precoro.run() == {"1": ("update", "drift")}
    assert sandbox.precoro.options()[-1]["name"] == "Company 1"


def test_a_change_of_the_workflow_file_is_called_so(precoro: Flow) -> None:
    """Nobody edited a record."""
    precoro.stage(customer("1")).run()
    rows = [row.model_dump(by_alias=True, exclude_none=True) for row in precoro.spec.records[0].rows]
    precoro.spec = one_source(fields=[*rows, {"field": "code", "from": "entity_number"}])

    assert precoro.run() == {"1": ("update", "workflow_changed")}


def test_a_refused_record_is_tried_again_when_it_changed(precoro: Flow, sandbox: Sandbox) -> None:
    """Not before: every call counts, and the answer would be the same."""
    sandbox.switches.set("precoro", PrecoroSwitches, name_limit=12)
    precoro.stage(customer("1", company_name="much too long")).run()
    writes = sandbox.precoro.write_calls()

    assert precoro.run()["1"][0] == "quarantined"
    assert sandbox.precoro.write_calls() == writes
    assert precoro.stage(customer("1", company_name="short")).run() == {"1": ("create", "new")}


def test_a_refused_record_is_tried_again_when_its_parent_changed(precoro: Flow, sandbox: Sandbox) -> None:
    """The target took nothing below a closed parent; nobody touched the record itself since."""
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


def test_a_refused_change_is_tried_again_when_the_record_was_edited(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """The target has another record than the one that it refused to change; once, and not again."""
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
    sandbox.suiteprojects.modify("Customer", key, company="by hand")
    assert [writes(), writes()] == [1, 0]


def test_two_workflows_do_not_see_each_others_memory(precoro: Flow) -> None:
    """Each has its own links, decisions and tables."""
    precoro.stage(customer("1")).run()
    precoro.name = "other"

    precoro.run()

    links = precoro.table("sync_links").sort("workflow")
    assert links.select("workflow", "matched_by").rows() == [("flow", "created"), ("other", "external_id")]


def test_a_mart_needs_its_tables(precoro: Flow) -> None:
    """The first run of a new installation, or a typo in `source:`."""
    with pytest.raises(MappingError, match="flow: there is no table stg_netsuite__customers yet"):
        make_mart(precoro.warehouse, precoro.workflow)

    precoro.spec = one_source(source="custmers")
    with pytest.raises(MappingError, match="no source `custmers`"):
        make_mart(precoro.warehouse, precoro.workflow)


def test_tables_and_columns_are_described(precoro: Flow) -> None:
    """Analysts read the comments; none is missing."""
    precoro.stage(customer("1")).run()

    silent = precoro.warehouse.read(
        "select table_name, column_name from duckdb_columns() where comment is null"
        " and regexp_matches(table_name, '^(mart|target|plan|sync)_flow$')"
    )

    assert silent.rows() == []


def test_one_sender_at_a_time(precoro: Flow) -> None:
    """The lock is the kernel's: another process holds it, then dies, and nobody has to clean up."""
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


def test_customers_are_adopted_updated_and_switched_off(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """The same engine before the other target: a batch is one request, and the record made by hand becomes ours."""
    suiteprojects.spec = one_source(
        target="suiteprojects.Customer", fields=SUITE_ROWS, match=[{"field": "name", "ignore_case": True}]
    )
    by_hand = sandbox.suiteprojects.add("Customer", name="c2", company="Company 2", notes="keep")
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
    assert (kept["2"]["id"], kept["2"]["name"], kept["2"]["notes"]) == (str(by_hand), "C2", "keep")
    assert kept["2"].get("active", "0") in {"0", ""}
    assert {action for action, _ in suiteprojects.run().values()} == {"unchanged"}


def test_a_project_moves_to_another_customer(suiteprojects: Flow, sandbox: Sandbox) -> None:
    """Its customer is another workflow's record there; the parent's id goes along under the target's own name."""
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
        settled = suiteprojects.run()

    assert moved == {"100": ("update", "source_changed")}
    assert settled == {"100": ("unchanged", "identical")}
    kept = next(row for row in sandbox.suiteprojects.rows("Project") if row.get("externalid") == "100")
    assert kept["customerid"] == owner[1]


def test_a_run_tells_what_is_left_of_the_day(precoro: Flow, sandbox: Sandbox) -> None:
    """Precoro allows so many calls a day; a target without an allowance tells nothing."""
    precoro.stage(customer("1"), customer("2")).run()

    told = precoro.table("sync_runs").select("calls", "calls_left").row(0)
    assert told == (len(sandbox.precoro.log()), 3000 - len(sandbox.precoro.log()))
