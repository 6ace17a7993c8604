"""The analysts' views of writes, differences, edits and root causes show what was read, and claim nothing else."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

import sql
from assets.delivery.audit.find import Record
from assets.delivery.audit.preview import preview_record
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.mart.current_state import read_target_state
from resources.encryption import Cipher
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.analytics import add_analytics
from resources.warehouse.masking import copy_masked
from resources.warehouse.tables import quoted
from resources.warehouse.workflow_queries import expanded, workflows_of
from tests.assets.delivery.builders import customer, project, suite_customers
from tests.assets.delivery.run_workflow import WorkflowRunner

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
NOT_THERE, ONLY_THERE = "(not in the target)", "(only in the target)"


def rows(runner: WorkflowRunner, name: str, columns: str = "*", where: str = "true") -> list[Any]:
    """Return rows of a view."""
    with runner.warehouse.writer(transaction=False) as con:
        add_analytics(con)
        return con.execute(f"select {columns} from {name} where {where} order by all").fetchall()


def read(runner: WorkflowRunner, run_id: str = "look") -> None:
    """Read the target again, without a plan."""
    runner.clock.sleep(3600)  # the target reuses a listing for a minute
    read_target_state(runner.context(run_id))


def target_ids(runner: WorkflowRunner) -> dict[str, str]:
    """Return target ids by NetSuite id."""
    return dict(runner.table("target_flow").drop_nulls("external_id").select("external_id", "target_id").rows())


def test_deliveries_have_a_row_for_each_field_with_the_answer(suiteprojects: WorkflowRunner) -> None:
    """A create has no value before; an update has the fields that it changed only."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", company_name="Second AB")).run()

    found = rows(suiteprojects, "deliveries", "action, field, before, after, shown, answer")

    assert ("update", "company", "Company 1", "Second AB", "yes", "confirmed") in found
    assert [field for action, field, *_ in found if action == "update"] == ["company"]
    created = {field: (before, after) for action, field, before, after, *_ in found if action == "create"}
    assert created["company"] == (None, "Company 1")
    assert created["externalid"] == (None, "1")


@pytest.mark.long
def test_encrypted_deliveries_say_so(suiteprojects: WorkflowRunner) -> None:
    """Their values are not shown, and the view does not fail; those from before the key are still readable."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    with suiteprojects.warehouse.writer() as con:
        sealed = Cipher(KEY).encrypt(json.dumps([{"field": "company", "before": None, "after": "Secret AB"}]))
        con.execute(
            "insert into sync_attempts by name select * replace ('sealed' as attempt_id, ? as image) from sync_attempts"
            " where state = 'intent' limit 1",
            [sealed],
        )
    found = rows(suiteprojects, "deliveries", "shown, field, answer", "attempt_id = 'sealed'")
    assert found == [("encrypted", None, "no answer")]
    assert {shown for (shown,) in rows(suiteprojects, "deliveries", "distinct shown")} == {"yes", "encrypted"}
    assert rows(suiteprojects, "edited_by_hand") == []


@pytest.mark.long
def test_differences_are_those_of_what_was_read(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """Field by field, with both times; records of one side only are named as such."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"), customer("2"), customer("3", is_inactive=True)).run()
    assert rows(suiteprojects, "differences") == []
    ids = target_ids(suiteprojects)
    sandbox.suiteprojects.modify("Customer", int(ids["1"]), company="Edited")
    own = sandbox.suiteprojects.add("Customer", name="OWN", company="Own")
    sandbox.suiteprojects.delete("Customer", int(ids["2"]))
    assert rows(suiteprojects, "differences") == []  # nothing was read since

    read(suiteprojects)

    columns = "source_id, target_id, field, netsuite_value, target_value, is_planned, target_read_at is not null"
    assert rows(suiteprojects, "differences", columns) == [
        ("1", ids["1"], "company", "Company 1", "Edited", False, True),
        ("2", None, NOT_THERE, None, None, False, True),
        (None, str(own), ONLY_THERE, None, None, False, True),
    ]


@pytest.mark.long
def test_a_planned_difference_is_marked(suiteprojects: WorkflowRunner) -> None:
    """A new record and a new value are what the newest plan does."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    suiteprojects.stage(customer("1", company_name="Second"), customer("2"))
    suiteprojects.clock.sleep(3600)
    suiteprojects.plan("planned")

    found = rows(suiteprojects, "differences", "source_id, field, is_planned")

    assert found == [("1", "company", True), ("2", NOT_THERE, True)]


def test_an_edit_in_the_target_has_both_values_and_no_name(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """Open as long as no run overwrote it, then restored; our own writes are none."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"), customer("2")).run()
    suiteprojects.stage(customer("1", company_name="Ours"), customer("2")).run()
    sandbox.suiteprojects.modify("Customer", int(target_ids(suiteprojects)["1"]), company="Theirs")
    read(suiteprojects)
    columns = "source_id, field, before, after, edited_by, state, edited_after < found_at"
    assert rows(suiteprojects, "edited_by_hand", columns) == [
        ("1", "company", "Ours", "Theirs", "unknown", "open", True)
    ]

    suiteprojects.run()

    assert rows(suiteprojects, "edited_by_hand", columns) == [
        ("1", "company", "Ours", "Theirs", "unknown", "restored", True)
    ]

    sandbox.suiteprojects.modify("Customer", int(target_ids(suiteprojects)["1"]), company="Theirs again")
    suiteprojects.run()

    assert rows(suiteprojects, "edited_by_hand", f"{columns}, found_by = lag(found_by) over (order by found_at)") == [
        ("1", "company", "Ours", "Theirs", "unknown", "restored", True, None),
        ("1", "company", "Ours", "Theirs again", "unknown", "restored", True, False),
    ]  # two runs in a row decided the same


@pytest.mark.long
def test_an_edit_between_two_times_that_were_read(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """Made after the target was read for a run that wrote another field, or beside a change in NetSuite."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    suiteprojects.clock.sleep(3600)
    suiteprojects.stage(customer("1", entity_number="C 2")).plan("second")
    edited_at, record = suiteprojects.context("").now, int(target_ids(suiteprojects)["1"])
    sandbox.suiteprojects.modify("Customer", record, company="Edited")
    suiteprojects.clock.sleep(3600)
    suiteprojects.send("second")
    columns = f"before, after, state, edited_after < '{edited_at}', found_at > '{edited_at}'"
    read_at = f"target_read_at < '{edited_at}'"

    assert rows(suiteprojects, "edited_by_hand", columns) == [("Company 1", "Edited", "open", True, True)]
    assert rows(suiteprojects, "differences", f"field, {read_at}") == [("company", True)]

    suiteprojects.clock.sleep(3600)
    suiteprojects.stage(customer("1", entity_number="C 2", company_name="New")).run()

    assert rows(suiteprojects, "edited_by_hand", columns) == [("Company 1", "Edited", "restored", True, True)]


@pytest.mark.long
def test_personal_values_are_masked_as_elsewhere(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """The masked file has the views, without a value that a person could be recognized by."""
    suiteprojects.spec = suite_customers({"field": "addr_email", "from": "email"})
    suiteprojects.stage(customer("1", email="anna@example.test")).run()
    sandbox.suiteprojects.modify("Customer", int(target_ids(suiteprojects)["1"]), addr_email="berta@example.test")
    read(suiteprojects)
    with suiteprojects.warehouse.writer(transaction=False) as con:
        con.execute("attach ':memory:' as masked")
        copy_masked(con, "mask", "masked")
        con.execute("use masked")
        add_analytics(con)
        text = str([con.execute(f"from {name}").fetchall() for name in ("deliveries", "differences", "edited_by_hand")])
        (field,) = con.execute("select field, netsuite_value <> target_value from differences").fetchall()
        con.execute("use warehouse")

    assert "example.test" not in text
    assert field == ("addr_email", True)


@pytest.fixture
def ledger() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty ledger."""
    with duckdb.connect() as con:
        ensure_ledger(con)
        yield con


def decide(
    con: duckdb.DuckDBPyConnection, workflow: str, key: str, action: str, code: str, reason: str, parent: str = ""
) -> None:
    """Add a decision on a record, `p7` or `c7`, and its row of the mart."""
    sources = {"p": "projects", "c": "customers", "": None}
    con.execute(
        "insert into sync_decisions (workflow, source, source_id, action, reason_code, reason, from_at)"
        " values (?, ?, ?, ?, ?, ?, '2026-11-01')",
        [workflow, sources[key[0]], key[1:], action, code, reason],
    )
    for table in (f"mart_{workflow}", f"target_{workflow}"):
        con.execute(
            f"create table if not exists {quoted(table)} (source varchar, source_id varchar, parent_source varchar,"
            " parent_source_id varchar)"
        )
    con.execute(
        f"insert into {quoted(f'mart_{workflow}')} values (?, ?, ?, ?)",
        [sources[key[0]], key[1:], sources[parent[:1]], parent[1:] or None],
    )
    con.execute("delete from lineage_columns where workflow = ?", [workflow])
    con.execute("insert into lineage_columns (workflow, target) values (?, ?)", [workflow, f"{workflow[:2]}.Record"])


def causes(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, str, str, int]]:
    """Return workflow, id and code of the root and the steps to it, by held record."""
    con.execute(expanded(con, sql.statement("analytics", "blocked_by").text))
    found = con.execute(
        "select workflow || ' ' || source_id, root_workflow, root_source_id, root_code, steps from blocked_by"
    ).fetchall()
    return {key: tuple(rest) for key, *rest in found}  # type: ignore[misc]


def test_the_root_cause_is_at_the_end_of_the_chain(ledger: duckdb.DuckDBPyConnection) -> None:
    """Across workflows of the same system, not in another one with the same customers; what was sent is there now."""
    because = "parent customers 1 is not in the target: not marked"
    decide(ledger, "sp_projects", "p21", "blocked", "parent_missing", "waits", "p20")
    decide(ledger, "sp_projects", "p20", "blocked", "parent_missing", because, "c1")
    decide(ledger, "sp_customers", "c1", "skipped", "flag_not_set", "not marked")
    decide(ledger, "pr_options", "c1", "quarantined", "too_long", "name is too long")
    decide(ledger, "sp_projects", "p30", "blocked", "parent_missing", "unknown parent", "c99")
    decide(ledger, "sp_projects", "p40", "blocked", "parent_missing", "waits", "c4")
    decide(ledger, "sp_customers", "c4", "create", "new", "not in the target yet")

    assert causes(ledger) == {
        "sp_projects 21": ("sp_customers", "1", "flag_not_set", 2),
        "sp_projects 20": ("sp_customers", "1", "flag_not_set", 1),
        "sp_projects 30": ("sp_projects", "30", "parent_missing", 0),
        "sp_projects 40": ("sp_customers", "4", "identical", 1),
        "pr_options 1": ("pr_options", "1", "too_long", 0),
    }


def test_a_cycle_of_parents_ends(ledger: duckdb.DuckDBPyConnection) -> None:
    """Each has one row."""
    decide(ledger, "sp_projects", "p1", "blocked", "parent_missing", "waits", "p2")
    decide(ledger, "sp_projects", "p2", "blocked", "parent_missing", "waits", "p1")
    assert causes(ledger).keys() == {"sp_projects 1", "sp_projects 2"}


def test_ignored_records_are_not_open_until_the_day_is_over(ledger: duckdb.DuckDBPyConnection) -> None:
    """They are counted apart; a decision for another reason counts again."""
    for number in range(1, 5):
        decide(ledger, "sp_customers", f"c{number}", "quarantined", "too_long", "name is too long")
    ledger.execute("update sync_decisions set reason_code = 'stage_unknown' where source_id = '4'")
    days = {"1": 1, "2": -2, "4": 1}
    for source_id, offset in days.items():
        ledger.execute(
            "insert into sync_ignored (workflow, source, source_id, action, reason_code, until_on)"
            " values ('sp_customers', 'customers', ?, 'quarantined', 'too_long', ?)",
            [source_id, date.today() + timedelta(days=offset)],  # noqa: DTZ011 - a day of margin on both sides
        )
    ledger.execute("insert into sync_runs (run_id, workflow, position) values ('r', 'sp_customers', 1)")
    for name in ("workflow_status", "quarantine_by_cause"):
        ledger.execute(sql.statement("analytics", name).text)

    assert ledger.execute("select held_back, ignored from workflow_status").fetchall() == [(3, 1)]
    assert ledger.execute(
        "select reason_code, records, ignored, first_ids from quarantine_by_cause order by all"
    ).fetchall() == [("stage_unknown", 1, 0, ["4"]), ("too_long", 2, 1, ["2", "3", "1"])]
    assert set(causes(ledger)) == {f"sp_customers {number}" for number in range(1, 5)}
    ignored = ledger.execute("select source_id from blocked_by where ignored_until is not null").fetchall()
    assert ignored == [("1",)]


def test_without_workflows_the_views_are_empty(ledger: duckdb.DuckDBPyConnection) -> None:
    """A warehouse before its first run has the views as well."""
    assert workflows_of(ledger) == []
    for name in ("blocked_by", "differences", "edited_by_hand"):
        ledger.execute(expanded(ledger, sql.statement("analytics", name).text))
        assert ledger.execute(f"from {name}").fetchall() == []


def test_a_run_that_died_found_no_edits(ledger: duckdb.DuckDBPyConnection) -> None:
    """It left no decision: the one before its attempt is of the run before, which found the edit."""
    image = '[{"field": "name", "before": "Edited", "after": "Ours"}]'
    ledger.execute(
        "insert into sync_decisions (workflow, source, source_id, action, reason, from_run, from_position)"
        " values ('sp', 'customers', '1', 'update', 'edited in the target since: name', 'ended', 1)"
    )
    for position, (run_id, state) in enumerate([("ended", "finished"), ("died", "died")], start=2):
        ledger.execute("insert into sync_runs (run_id, workflow, state) values (?, 'sp', ?)", [run_id, state])
        ledger.execute(
            "insert into sync_attempts (workflow, source, source_id, run_id, state, action, position, image)"
            " values ('sp', 'customers', '1', ?, 'intent', 'update', ?, ?)",
            [run_id, position, image],
        )
    ledger.execute(expanded(ledger, sql.statement("analytics", "edited_by_hand").text))

    found = ledger.execute("select found_by, field, before, after from edited_by_hand").fetchall()
    assert found == [("ended", "name", "Ours", "Edited")]


@pytest.mark.long
def test_a_preview_knows_near_duplicates(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """As the plan does: a space at the end of a nickname is not a new record."""
    sandbox.suiteprojects.add("Customer", name="T-5030")
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1", entity_number="T-5030 "), below=(project(),))
    suiteprojects.plan("first")

    made = preview_record(suiteprojects.context("look"), Record("customers", "1", "T-5030 ", "Company 1"))

    assert made.after.action == "ambiguous"
    assert made.after.reason.startswith("differs in case, spaces or Unicode form only from name of target")
