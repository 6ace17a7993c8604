"""Time travel over whole runs: what each side was at each run's time, and who or what changed it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import polars as pl
import pytest

from assets.delivery.audit.find import Record
from assets.delivery.audit.record_versions import (
    define_versions,
    drop_versions,
    field_changes,
    read_versions,
    values_as_of,
    what_happened,
)
from assets.delivery.forget.erase import Decision, erase
from assets.delivery.forget.subject import read_subject
from assets.delivery.imports.manual_links import ManualLink, save_manual_link
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.mart.build import make_mart
from assets.delivery.mart.current_state import read_target_state
from assets.delivery.plan.planner import make_plan
from assets.delivery.realtime.sync_records import sync_records
from assets.delivery.schemas import KEY
from assets.precoro.target import OptionTarget
from assets.warehouse.retention import prune
from resources import failpoints
from resources.errors import IntegrationError
from resources.precoro.connect import open_precoro
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.sandbox import Sandbox
from resources.signing import Signer
from resources.warehouse.analytics import add_analytics
from resources.warehouse.tables import columns_of, read_frame
from resources.warehouse.version_queries import versions_query
from resources.warehouse.warehouse import Warehouse
from sql import statement
from tests.assets.delivery.builders import customer, one_source, option_tree, suite_customers
from tests.assets.delivery.chain import ledger_chain
from tests.assets.delivery.jumping_clock import JumpingClock
from tests.assets.delivery.restored import back_up, read_netsuite, restore
from tests.assets.delivery.run_workflow import WorkflowRunner

ONE = Record("customers", "1", "C1", "Company 1")


def night(runner: WorkflowRunner, run_id: str) -> datetime:
    """Make a whole run an hour later, and return when it ended."""
    runner.clock.sleep(3600)
    with runner.warehouse.kept_open():
        make_mart(runner.warehouse, runner.workflow, clock=runner.clock, run_id=run_id)
        read_target_state(runner.context(run_id))
        make_plan(runner.context(run_id))
        runner.send(run_id)
    return runner.context(run_id).now


@contextmanager
def versions(runner: WorkflowRunner) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse with the macros."""
    with runner.warehouse.writer(transaction=False) as con:
        define_versions(con, ["flow"], ONE)
        yield con


def causes(runner: WorkflowRunner, field: str = "name") -> list[tuple[Any, ...]]:
    """Return side, before, after and cause of each change of a field of customer 1."""
    with versions(runner) as con:
        rows = field_changes(con, "flow", ONE, of_field=field)
    return [(row["side"], row["before"], row["after"], row["changed_by"]) for row in rows]


def happened(runner: WorkflowRunner) -> list[tuple[datetime, str]]:
    """Return what happened to customer 1 in the workflow and in the target, and when."""
    with runner.warehouse.writer(transaction=False) as con:
        rows = read_versions(con, ONE, ["flow"], None).changes
    shown = [row for row in rows if row["field"].startswith("(") and row["side"] != "netsuite"]
    return [(row["changed_at"], what_happened(row) or row["field"]) for row in shown]


def test_values_that_retention_removed_are_no_changes(suiteprojects: WorkflowRunner) -> None:
    """That the version before has no value any more makes the one after it neither an edit nor NetSuite's change."""
    suiteprojects.spec = suite_customers({"field": "addr_email", "from": "email"})
    first = night(suiteprojects.stage(customer("1", email="a@x.example")), "first")
    changed = customer("1", email="a@x.example", company_name="Second")
    second = night(suiteprojects.stage(changed), "second")
    before = causes(suiteprojects, "company")
    with suiteprojects.warehouse.writer() as con:
        prune(con, {"personal": second + timedelta(days=1)})

    assert before[-1] == ("target", "Company 1", "Second", "our write")
    assert causes(suiteprojects, "company") == [
        ("desired", None, "Second", "first mapping"), ("target", None, "Second", "our write"),
    ]  # fmt: skip
    assert causes(suiteprojects, "addr_email") == [
        ("desired", None, "a@x.example", "first mapping"), ("target", None, "a@x.example", "first reading"),
    ]  # fmt: skip
    with versions(suiteprojects) as con:
        assert [row for row in values_as_of(con, "flow", ONE, first) if row["field"] == "addr_email"] == []
        now = {row["field"]: row["target"] for row in values_as_of(con, "flow", ONE, second)}
    assert now["addr_email"] == "a@x.example"


def test_reading_one_record_leaves_nothing_in_the_connection(tmp_path: Path) -> None:
    """It is used again: for a warehouse of another account, and for the macros over all tables."""
    with duckdb.connect() as con:
        con.execute(f"attach '{tmp_path / 'w.duckdb'}' as warehouse")
        con.execute("use warehouse")
        ensure_ledger(con)
        add_analytics(con)
        before = con.execute(OBJECTS).fetchall()

        read_versions(con, ONE, ["flow"], datetime(2026, 11, 1))  # noqa: DTZ001 - as the warehouse's times
        con.execute("select * from changes_between('2020-01-01', '2999-01-01')")

        assert con.execute(OBJECTS).fetchall() == before


OBJECTS = (
    "select database_name, view_name from duckdb_views() where not internal union all"
    " select database_name, table_name from duckdb_tables() where temporary union all"
    " select database_name, function_name from duckdb_functions() where not internal order by all"
)


@pytest.mark.parametrize("change", ["is_inactive", "is_deleted"])
def test_the_end_of_a_record_in_netsuite_is_netsuites_change(precoro: WorkflowRunner, change: str) -> None:
    """The mapping reads neither of these columns, and no value that it looks up has changed."""
    precoro.spec = one_source()
    make_mart(precoro.stage(customer("1")).warehouse, precoro.workflow, clock=precoro.clock, run_id="first")
    ended = precoro.stage(customer("1", **{change: True}))
    make_mart(ended.warehouse, precoro.workflow, clock=precoro.clock, run_id="second")

    assert causes(precoro, "(disposition)")[-1] == ("desired", "deliver", "retire", "NetSuite")


def test_our_write_netsuites_change_and_an_edit_are_kept_apart(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Each change of a field has its cause and its time, on all three sides."""
    precoro.spec = one_source()
    first = night(precoro.stage(customer("1"), customer("2")), "first")
    second = night(precoro.stage(customer("1", company_name="Second"), customer("2")), "second")
    target_id = precoro.warehouse.read("select target_id from sync_links where source_id = '1'").item()
    sandbox.precoro.edit_option(int(target_id), name="Edited")
    third = night(precoro, "third")

    assert causes(precoro) == [
        ("desired", None, "Company 1", "first mapping"),
        ("target", None, "Company 1", "our write"),
        ("desired", "Company 1", "Second", "NetSuite"),
        ("target", "Company 1", "Second", "our write"),
        ("target", "Second", "Edited", "edit in the target"),
        ("target", "Edited", "Second", "our write"),
    ]
    with versions(precoro) as con:
        edit = field_changes(con, "flow", ONE, of_field="name")[4]
        then = {at: row["target"] for at in (first, second, third) for row in values_as_of(con, "flow", ONE, at)
                if row["field"] == "name"}  # fmt: skip
        before = values_as_of(con, "flow", ONE, first - timedelta(days=1))
    assert second - timedelta(hours=1) < edit["not_before"] < second < edit["changed_at"] <= third
    with precoro.warehouse.writer(transaction=False) as con:
        for name in ("record_versions", "record_as_of", "field_changes"):
            con.execute(statement("analytics", name).text.replace("{versions}", versions_query(con)))
        for macro in ("field_changes('flow', '1')", f"record_as_of('flow', '1', '{second}')"):
            over_all = read_frame(con, f"from {macro}")
            define_versions(con, ["flow"], ONE)
            assert over_all.height
            assert read_frame(con, f"from temp.{macro}").equals(over_all)
            drop_versions(con)
    assert then == {first: "Company 1", second: "Second", third: "Second"}
    assert before == []


@pytest.mark.long
def test_a_forgotten_record_is_not_mapped_for_the_first_time_again(precoro: WorkflowRunner) -> None:
    """That its values were forgotten has its moment; the version from before ends with the next run, as any other."""
    precoro.spec = one_source()
    night(precoro.stage(customer("1"), customer("2")), "first")
    precoro.clock.sleep(3600)
    moment = precoro.context("forget").now
    with precoro.warehouse.writer() as con:
        erase(con, read_subject(con, "customers", "1"), Signer(ledger_chain.KEY), Decision("ada", moment, "asked"))

    assert happened(precoro)[-1] == (moment, "values forgotten")
    later = night(precoro, "later")
    night(precoro, "later still")

    assert [text for _, text in happened(precoro)] == [
        "record first mapped", "record created", "values forgotten", "(disposition)", "(reason)",
    ]  # fmt: skip
    assert [each for each, _ in happened(precoro)][-2:] < [later] * 2
    assert ("desired", "deliver", "hold", "forgotten") in causes(precoro, "(disposition)")
    for side in ("mart", "target"):
        query = f"select (select count(*) from hist_{side}__flow where is_current) - (select count(*) from {side}_flow)"
        assert precoro.warehouse.read(query).item() == 0, side


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("jumps", [False, True], ids=["steady", "jumping"])
def test_a_run_is_as_a_full_copy_of_it(precoro: WorkflowRunner, sandbox: Sandbox, *, seed: int, jumps: bool) -> None:
    """Random edits in NetSuite and in the target, deletions and targeted runs: each moment can be made again."""
    random, copies = Random(seed), list[tuple[datetime, dict[str, pl.DataFrame]]]()
    clock = JumpingClock(precoro.clock)
    precoro.clock, precoro.spec = clock, one_source()
    staged = {str(number): customer(str(number)) for number in range(1, 5)}
    for number in range(6):
        edit_somewhere(random, precoro, sandbox, staged)
        if jumps:
            clock.offset += timedelta(hours=random.choice([0, -5, 7]))
        if number % 3 == 2:
            clock.sleep(600)
            keys = pl.DataFrame({"source": ["customers"], "source_id": [random.choice(list(staged))]})
            sync_records(precoro.context(f"real {number}"), keys.select(KEY))
        else:
            night(precoro, f"run {number}")
        copies.append((precoro.context("now").now, copies_of(precoro)))

    for place, (moment, tables) in enumerate(copies):
        if all(later > moment for later, _ in copies[place + 1 :]):  # else that time was lived twice
            for name, copy in tables.items():
                assert state_at(precoro, name, moment).equals(copy), (place, name)
    check_chains(precoro)


@pytest.mark.long
@pytest.mark.parametrize("ahead", [400, -400])
def test_changes_are_in_the_order_of_the_ledger_after_a_clock_jump(precoro: WorkflowRunner, ahead: int) -> None:
    """Made while the clock was wrong, a change is before the next run's, and known to it."""
    clock = JumpingClock(precoro.clock)
    precoro.clock, precoro.spec = clock, one_source()
    night(precoro.stage(customer("1")), "first")
    clock.offset = timedelta(days=ahead)
    night(precoro.stage(customer("1", company_name="Second")), "second")
    clock.offset = timedelta()
    moment = night(precoro.stage(customer("1", company_name="Third")), "third")

    with versions(precoro) as con:
        ever = field_changes(con, "flow", ONE, of_field="name")
        then = field_changes(con, "flow", ONE, of_field="name", until=moment)
    with precoro.warehouse.writer(transaction=False) as con:
        for name in ("record_versions", "changes_between"):
            con.execute(statement("analytics", name).text.replace("{versions}", versions_query(con)))
        query = (
            "select before from changes_between('1999-01-01', '2999-01-01') where column_name = 'name' and side = '{}'"
        )
        between = [con.execute(query.format(side)).fetchall() for side in ("desired", "target")]
    for found in (ever, then):
        assert [row["after"] for row in found if row["side"] == "target"] == ["Company 1", "Second", "Third"]
        assert [row["from_position"] for row in found] == sorted(row["from_position"] for row in found)
    assert between == [[(None,), ("Company 1",), ("Second",)]] * 2


def edit_somewhere(random: Random, runner: WorkflowRunner, sandbox: Sandbox, staged: dict[str, Any]) -> None:
    """Change NetSuite's records and the target's."""
    key = random.choice(list(staged))
    staged[key] = customer(key, company_name=random.choice(["Acme", "Ångström", "a, b", None, f"Company {key}"]))
    runner.stage(*staged.values())
    options = [option for option in sandbox.precoro.options() if option["external_id"]]
    if options and random.random() < 0.7:
        sandbox.precoro.edit_option(
            int(random.choice(options)["option_id"]), name=random.choice(["Edited", "Other", "X"])
        )
    if options and random.random() < 0.2:
        sandbox.precoro.remove_option(int(random.choice(options)["option_id"]))


def copies_of(runner: WorkflowRunner) -> dict[str, pl.DataFrame]:
    """Return a full copy of mart and target state."""
    copies = {name: read_frame_of(runner, f"from {name}_flow") for name in ("mart", "target")}
    return {name: comparable(copy) for name, copy in copies.items()}


def read_frame_of(runner: WorkflowRunner, query: str, values: list[Any] | None = None) -> pl.DataFrame:
    """Return the result of a query."""
    with runner.warehouse.writer(transaction=False) as con:
        return read_frame(con, query, values)


def comparable(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows in an order, without what opens no version on its own."""
    kept = frame.drop("updated_at", "input_hash", "source_hash", "payload_hash", strict=False)
    return kept.sort(kept.columns)


def state_at(runner: WorkflowRunner, side: str, moment: datetime) -> pl.DataFrame:
    """Return mart or target state at a moment, from the versions."""
    with runner.warehouse.writer(transaction=False) as con:
        columns = ", ".join(f'"{name}"' for name in columns_of(con, f"{side}_flow") if name != "input_hash")
        return comparable(read_frame(con, (
            f"select {columns} from hist_{side}__flow, (select max(position) as at_position from sync_readings"
            " where read_at <= ?) where from_position <= at_position"
            " and (to_position is null or to_position > at_position)"
            + (" and (unseen_position is null or unseen_position > at_position)" if side == "target" else "")
        ), [moment]))  # fmt: skip


def check_chains(runner: WorkflowRunner) -> None:
    """Check that no two versions of a record overlap, and none is inverted."""
    for side, key in (("mart", "source_id"), ("target", "target_id")):
        rows = read_frame_of(runner, f"from hist_{side}__flow order by {key}, from_position").to_dicts()
        for one, other in pairwise(rows):
            if one[key] == other[key]:
                assert one["valid_from"] <= one["valid_to"] <= other["valid_from"]
                assert one["from_position"] < one["to_position"] <= other["from_position"]


def option_id(sandbox: Sandbox, key: str = "1") -> int:
    """Return the id of the option with a key."""
    return next(int(each["option_id"]) for each in sandbox.precoro.options() if each["external_id"] == key)


def last_cause(runner: WorkflowRunner, field: str = "name") -> tuple[Any, ...]:
    """Return the last change of a field of customer 1 in the target."""
    return [each for each in causes(runner, field) if each[0] == "target"][-1]


@pytest.mark.long
def test_an_edit_is_later_than_the_beginning_of_a_reading_or_of_a_write(
    precoro: WorkflowRunner, sandbox: Sandbox
) -> None:
    """A person edits a record while a target is still being read, or other records are still being sent."""
    precoro.spec = one_source()

    def edit() -> None:
        sandbox.precoro.edit_option(option_id(sandbox), name=f"Edited at {precoro.context('').now}")
        edited.append(precoro.context("").now)
        precoro.clock.sleep(600)

    edited = list[datetime]()
    night(precoro.stage(customer("1")), "first")
    for point, name in (("target_state_read", "Company 1"), ("bookkeeping_begins", "Changed")):
        precoro.stage(customer("1", company_name=name))
        failpoints.arm(point, strike=edit)
        night(precoro, f"at {point}")
        night(precoro, f"after {point}")
    with versions(precoro) as con:
        rows = field_changes(con, "flow", ONE, of_field="name")
        found = [row["not_before"] for row in rows if row["changed_by"] == "edit in the target"]

    assert len(found) == 2
    assert all(since < at for since, at in zip(found, edited, strict=True))


def handed_over(runner: WorkflowRunner) -> WorkflowRunner:
    """Let a customer become a prospect, which another workflow delivers; return the other one."""
    one, two = ({"select": {"where": f"stage = '{stage}'"}} for stage in ("customer", "prospect"))
    policy = {"lifecycle": {"out_of_scope": "deactivate"}}
    runner.spec = suite_customers(**one, **policy)
    other = replace(runner, name="other", spec=suite_customers(**two, **policy))
    night(runner.stage(customer("1")), "first")
    night(runner.stage(customer("1", stage="prospect")), "left")
    night(other, "took over")
    return other


@pytest.mark.long
def test_what_another_workflow_wrote_is_no_edit(suiteprojects: WorkflowRunner) -> None:
    """Our other workflow switches the customer on again."""
    handed_over(suiteprojects)
    night(suiteprojects, "saw it")

    assert last_cause(suiteprojects, "active") == ("target", "0", "1", "our write")
    with versions(suiteprojects) as con:
        assert field_changes(con, "flow", ONE, of_field="active")[-1]["run_id"] == "took over"
    with suiteprojects.warehouse.writer(transaction=False) as con:
        add_analytics(con)
        assert con.execute("from edited_by_hand").fetchall() == []


@pytest.mark.long
def test_what_another_workflow_wrote_in_two_runs_is_no_edit(suiteprojects: WorkflowRunner) -> None:
    """One reading shows both writes, each of another field."""
    other = handed_over(suiteprojects)
    night(other.stage(customer("1", stage="prospect", company_name="New")), "renamed")
    night(suiteprojects, "saw it")

    assert last_cause(suiteprojects, "active") == ("target", "0", "1", "our write")
    assert last_cause(suiteprojects, "company") == ("target", "Company 1", "New", "our write")


@pytest.mark.long
def test_a_record_that_a_person_made_again_has_its_beginning_and_its_end(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """Deleted and made again with our key, then deleted: what is linked later was there before its decision."""
    suiteprojects.spec = suite_customers()
    night(suiteprojects.stage(customer("1")), "first")
    sandbox.suiteprojects.delete("Customer", 1)
    sandbox.suiteprojects.add("Customer", name="C1", externalid="1", company="Company 1", active="1")
    night(suiteprojects, "second")
    sandbox.suiteprojects.delete("Customer", 2)
    night(suiteprojects, "third")

    assert sorted(text for _, text in happened(suiteprojects)) == [
        "record created", "record created", "record first mapped", "record first seen", "record gone", "record gone",
    ]  # fmt: skip


@pytest.mark.long
def test_a_write_of_a_run_that_died_is_ours(precoro: WorkflowRunner, tmp_path: Path) -> None:
    """Its process was killed after the target applied it: the next reading shows what was sent."""
    precoro.spec = option_tree()
    night(precoro.stage(customer("1")), "first")
    precoro.stage(customer("1", company_name="Second"))
    died = subprocess.run(
        [sys.executable, "-m", "tests.assets.delivery.dying_run", str(tmp_path), "AFTER"], check=False
    )
    assert died.returncode == 9

    night(precoro, "next")
    assert last_cause(precoro) == ("target", "Company 1", "Second", "our write")
    with versions(precoro) as con:
        row = next(row for row in field_changes(con, "flow", ONE, of_field="name") if row["after"] == "Second"
                   and row["side"] == "target")  # fmt: skip
        query = "select run_id from sync_attempts where state = 'intent' and attempt_id = ?"
        assert con.execute(query, [row["attempt_id"]]).fetchall() == [(row["run_id"],)]


@pytest.mark.long
def test_an_edit_after_a_run_that_died_before_sending_is_an_edit(
    precoro: WorkflowRunner, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Its intent is in the ledger, and what the reading shows is not what it would have sent."""
    precoro.spec = option_tree()
    night(precoro.stage(customer("1")), "first")
    precoro.stage(customer("1", company_name="Second"))
    died = subprocess.run(
        [sys.executable, "-m", "tests.assets.delivery.dying_run", str(tmp_path), "BEFORE"], check=False
    )
    assert died.returncode == 9
    sandbox.precoro.edit_option(option_id(sandbox), name="Edited")
    night(precoro, "next")

    changes = [each for each in causes(precoro) if each[0] == "target"]
    assert changes[1:] == [
        ("target", "Company 1", "Edited", "edit in the target"), ("target", "Edited", "Second", "our write"),
    ]  # fmt: skip


@pytest.mark.long
def test_an_undone_and_an_adopted_record_are_our_writes(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """An undo is a delivery like any other; an adoption writes our key, and nothing else."""
    precoro.spec = one_source(match=[{"field": "name"}])
    sandbox.precoro.add_option("Company 1")
    night(precoro.stage(customer("1")), "first")
    assert last_cause(precoro, "(key)") == ("target", None, "1", "our write")
    assert last_cause(precoro) == ("target", None, "Company 1", "first reading")
    night(precoro.stage(customer("1", company_name="Second")), "second")
    precoro.apply(precoro.undo("second").plan_id, "undo")
    assert last_cause(precoro) == ("target", "Second", "Company 1", "our write")


@pytest.mark.long
def test_what_a_lost_ledger_may_have_sent_is_unclear(sandbox: Sandbox, tmp_path: Path) -> None:
    """After a restore the ledger lacks what later runs sent: their values are not called edits."""
    with open_precoro(sandbox=sandbox.folder) as client:
        runner = WorkflowRunner(Warehouse(tmp_path / "warehouse"), OptionTarget(client, 5144), sandbox.clock)
        runner.spec = one_source()
        night(runner.stage(customer("1")), "first")
        copy = back_up(runner)
        night(runner.stage(customer("1", company_name="Second")), "second")
        restore(runner, copy)
        read_netsuite(runner)
        night(runner, "third")
        assert causes(runner)[-2:] == [
            ("target", "Company 1", "Second", "unclear"), ("target", "Second", "Company 1", "our write"),
        ]  # fmt: skip
        sandbox.precoro.edit_option(option_id(sandbox), name="Edited")
        night(runner, "fourth")
        assert [each[3] for each in causes(runner) if each[2] == "Edited"] == ["edit in the target"]


@pytest.mark.long
def test_suiteprojects_has_the_same(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """One engine for both targets."""
    suiteprojects.spec = suite_customers()
    night(suiteprojects.stage(customer("1")), "first")
    target_id = suiteprojects.warehouse.read("select target_id from sync_links where source_id = '1'").item()
    sandbox.suiteprojects.modify("Customer", int(target_id), name="Edited")
    night(suiteprojects, "second")
    named = [each[1:] for each in causes(suiteprojects) if each[0] == "target"]
    assert [each[2] for each in named] == ["our write", "edit in the target", "our write"]
    assert named[1][1] == "Edited"


@pytest.mark.long
def test_a_relinked_record_does_not_show_the_changes_of_the_other(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """The decisions of that time say which target record it was."""
    precoro.spec = one_source()
    night(precoro.stage(customer("1")), "first")
    old = option_id(sandbox)
    new = sandbox.precoro.add_option("Another", external_id=None)
    sandbox.precoro.edit_option(old, external_id=None)
    precoro.clock.sleep(3600)
    precoro.plan("seen")
    with precoro.warehouse.writer() as con:
        save_manual_link(con, ManualLink("flow", "customers", "1", str(new), "ada", precoro.context("").now))
    night(precoro, "second")
    sandbox.precoro.edit_option(old, name="Not ours any more")
    night(precoro, "third")
    with versions(precoro) as con:
        found = {(row["target_id"], row["after"]) for row in field_changes(con, "flow", ONE, of_field="name")}
    assert (str(old), "Not ours any more") not in found
    assert (str(old), "Company 1") in found
    assert (str(new), "Company 1") in found


@pytest.mark.long
def test_a_reading_that_fails_ends_no_version(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """The target does not answer: nothing is known to be gone, and nothing was read."""
    precoro.spec = one_source()
    night(precoro.stage(customer("1")), "first")
    query = "select count(*), (select count(*) from hist_target__flow where is_current) from sync_readings"
    before = precoro.warehouse.read(query).rows()
    precoro.clock.sleep(3600)
    sandbox.faults.plan("precoro", Fault(FaultKind.EMPTY, method="GET", pattern="options", times=10))
    with pytest.raises(IntegrationError):
        read_target_state(precoro.context("failed"))
    assert precoro.warehouse.read(query).rows() == before
