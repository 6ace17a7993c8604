"""The history of a record in each workflow: now, as of a past moment, and in the analysts' snapshot."""

from datetime import datetime, timedelta

import duckdb
import pytest

import sql
from assets.delivery.audit.batch_query import RowQuery, read_rows
from assets.delivery.audit.explain import Explanation, explain_record
from resources.clock import utc_now
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.audit.conftest import target_id
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.jumping_clock import JumpingClock
from tests.assets.delivery.run_workflow import WorkflowRunner


def explained(warehouse: Warehouse, text: str, as_of: datetime | None = None) -> Explanation:
    """Return the explanation of the one record that a text means."""
    records, explanation = explain_record(warehouse, text, as_of)
    assert len(records) == 1
    assert explanation is not None
    return explanation


def test_whole_rows_and_some_columns_come_in_the_order_that_is_asked_for() -> None:
    """Lists of structures included, whichever way a table is read; a query without rows gives none."""
    with duckdb.connect() as con:
        con.execute("create table t as select i as number, [{'field': i}] as changes from range(4) as r(i)")
        queries = {
            "whole": RowQuery("t", "number > ?", [1], order="order by number desc"),
            "some": RowQuery("t", "number > ?", [2, 1], "number + ? as more", "order by more desc"),
            "none": RowQuery("t", "number > ?", [9]),
        }

        found = read_rows(con, queries)

    assert found == {
        "whole": [{"number": 3, "changes": [{"field": 3}]}, {"number": 2, "changes": [{"field": 2}]}],
        "some": [{"more": 5}, {"more": 4}],
        "none": [],
    }
    assert list(found) == list(queries)


def test_the_history_has_every_step(delivered: WorkflowRunner) -> None:
    """Seen in NetSuite, mapped, planned, decided, sent, linked, and the target's current record."""
    explanation = explained(delivered.warehouse, "1")

    assert explanation.seen["company_name"] == "Acme 2"
    (history,) = explanation.histories
    assert history.workflow == "flow"
    assert [row["name"] for row in history.mart] == ["Acme 2"]
    assert [(row["action"], row["changes"]) for row in history.planned] == [
        ("update", [{"field": "name", "before": "Acme", "after": "Acme 2"}]),
    ]
    assert [(row["action"], row["to_run"]) for row in history.decided] == [("create", "run 1"), ("update", None)]
    assert [(row["action"], row["state"]) for row in history.attempts] == [
        ("create", "intent"), ("create", "confirmed"), ("update", "intent"), ("update", "confirmed"),
    ]  # fmt: skip
    assert [row["target_id"] for row in history.linked] == [target_id(delivered, "1")]
    assert [row["name"] for row in history.target_state] == ["Acme 2"]


def test_a_record_that_was_never_sent_has_its_reason(precoro: WorkflowRunner) -> None:
    """Most questions are about such records."""
    precoro.stage(customer("1", company_name=None)).run()

    (history,) = explained(precoro.warehouse, "1").histories

    assert [(row["action"], row["reason_code"]) for row in history.decided] == [("quarantined", "required_blank")]
    assert (list(history.attempts), list(history.linked), list(history.target_state)) == ([], [], [])


def test_a_record_that_no_run_decided_on_has_no_history(precoro: WorkflowRunner) -> None:
    """The record was extracted, and no workflow ran yet."""
    precoro.stage(customer("1"))

    explanation = explained(precoro.warehouse, "C1")

    assert explanation.seen["entity_number"] == "C1"
    assert list(explanation.histories) == []


def test_a_record_whose_id_is_not_a_number_has_a_history(precoro: WorkflowRunner) -> None:
    """The large ledger tables are read by number if the id is one."""
    precoro.stage(customer("A-1", company_name="Acme")).run()

    (now,) = explained(precoro.warehouse, "A-1").histories
    (then,) = explained(precoro.warehouse, "A-1", utc_now(precoro.clock)).histories

    for history in (now, then):
        assert [row["action"] for row in history.decided] == ["create"]
        assert [row["state"] for row in history.attempts] == ["intent", "confirmed"]


# --- the past -------------------------------------------------------------------------------------------------------


def test_an_explanation_of_the_past_excludes_later_events(precoro: WorkflowRunner) -> None:
    """The answer for Tuesday is the one that Tuesday would have given."""
    precoro.stage(customer("1", company_name="Acme")).run()
    between = utc_now(precoro.clock)
    precoro.clock.sleep(3600)
    precoro.stage(customer("1", company_name="Acme 2")).run()

    then = explained(precoro.warehouse, "1", between)
    now = explained(precoro.warehouse, "1")

    (history,) = then.histories
    assert [(row["action"], row["to_run"], row["to_at"]) for row in history.decided] == [("create", None, None)]
    assert [(row["action"], row["state"]) for row in history.attempts] == [
        ("create", "intent"),
        ("create", "confirmed"),
    ]
    assert [row["to_run"] for row in now.histories[0].decided] == ["run 1", None]
    assert (then.seen, history.mart, history.planned, history.linked, history.target_state) == ({}, [], [], [], [])
    assert then.as_of == between


def test_an_explanation_before_the_first_run_is_empty(precoro: WorkflowRunner) -> None:
    """Nothing was decided yet."""
    precoro.stage(customer("1")).run()

    before = datetime(2001, 1, 1)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC
    (history,) = explained(precoro.warehouse, "1", before).histories

    assert (history.decided, history.attempts) == ([], [])


@pytest.mark.long
@pytest.mark.parametrize("ahead", [timedelta(days=400), timedelta(days=-400)])
def test_an_explanation_of_the_past_follows_the_ledger_after_a_clock_jump(
    precoro: WorkflowRunner, ahead: timedelta
) -> None:
    """A decision that was made while the clock was wrong came before those of the next run, and is known to it."""
    clock = JumpingClock(precoro.clock)
    precoro.clock = clock
    precoro.stage(customer("1", company_name="Acme")).run()
    clock.offset = ahead
    precoro.stage(customer("1", company_name="Acme 2")).run()
    clock.offset = timedelta()
    precoro.stage(customer("1", company_name="Acme 2"), customer("2")).run()
    precoro.stage(customer("1", company_name="Acme 3"), customer("2"))
    now = utc_now(clock)
    precoro.clock.sleep(3600)
    precoro.run()

    (history,) = explained(precoro.warehouse, "1", now).histories

    assert [(row["action"], row["to_run"]) for row in history.decided] == [
        ("create", "run 1"), ("update", "run 2"), ("unchanged", None),
    ]  # fmt: skip
    assert [(row["action"], row["state"]) for row in history.attempts][2:] == [
        ("update", "intent"), ("update", "confirmed"),
    ]  # fmt: skip


# --- for analysts ---------------------------------------------------------------------------------------------------


def published(runner: WorkflowRunner, text: str, id_of: str = "netsuite") -> list[tuple[str, ...]]:
    """Return the rows of `from explain(…)` in the snapshot: source, source_id, workflow, step, what, detail."""
    runner.warehouse.publish()
    with duckdb.connect(str(runner.warehouse.snapshot), read_only=True) as con:
        return con.execute("select * exclude (happened_at) from explain(?, id_of := ?)", [text, id_of]).fetchall()


def test_the_snapshot_explains_a_record(precoro: WorkflowRunner) -> None:
    """Steps are in chronological order, by NetSuite id or target id."""
    precoro.stage(customer("1", company_name="Acme"), below=(project("100"),)).run()
    precoro.stage(customer("1", company_name="Acme 2"), below=(project("100"),)).run()

    steps = published(precoro, "1")

    ours = target_id(precoro, "1")
    assert steps == [
        ("customers", "1", None, "seen", "C1", "Acme 2"),
        ("customers", "1", "flow", "sent", "create", None),
        ("customers", "1", "flow", "answered", "confirmed", None),
        ("customers", "1", "flow", "decided", "create", "not in the target yet"),
        ("customers", "1", "flow", "sent", "update", None),
        ("customers", "1", "flow", "answered", "confirmed", None),
        ("customers", "1", "flow", "decided", "update", "differs in: name"),
        ("customers", "1", "flow", "linked", ours, "external_id"),
    ]
    assert published(precoro, ours, "target") == steps
    assert published(precoro, "unknown") == []


def test_an_id_of_two_sources_explains_both_records(precoro: WorkflowRunner) -> None:
    """NetSuite ids of customers and projects overlap; a target's id means one record."""
    precoro.stage(customer("1")).run()
    precoro.stage(customer("1"), below=(project("1"),))
    with precoro.warehouse.writer() as con:
        con.execute(
            "insert into sync_links (workflow, source, source_id, target_id) values ('other', 'projects', '1', '4711')"
        )

    assert {row[0] for row in published(precoro, "1")} == {"customers", "projects"}
    assert {row[0] for row in published(precoro, "4711", "target")} == {"projects"}


@pytest.mark.long
@pytest.mark.parametrize("macro", ["explain(?, id_of := ?)", "why('flow', ?, 'name', id_of := ?)"])
def test_a_number_that_is_two_ids_means_the_one_that_was_asked_for(precoro: WorkflowRunner, macro: str) -> None:
    """The target gave one customer the number that NetSuite gave another one."""
    precoro.stage(customer("1")).run()
    number = target_id(precoro, "1")
    precoro.stage(customer("1"), customer(number)).run()
    precoro.warehouse.replace(
        "stg_netsuite__contacts", precoro.table("stg_netsuite__customers").rename({"customer_id": "contact_id"}).clear()
    )
    precoro.warehouse.publish()

    with duckdb.connect(str(precoro.warehouse.snapshot), read_only=True) as con:
        found = {
            id_of: con.execute(f"select distinct source_id from {macro}", [number, id_of]).fetchall()
            for id_of in ("netsuite", "target")
        }

    assert found == {"netsuite": [(number,)], "target": [("1",)]}


@pytest.mark.long
def test_the_macro_has_a_comment_and_needs_its_tables(precoro: WorkflowRunner) -> None:
    """A warehouse without projects is still published."""
    with precoro.warehouse.writer() as con:
        con.execute("create table something (id integer)")
    precoro.warehouse.publish()
    precoro.stage(customer("1")).run()
    precoro.warehouse.publish()

    with duckdb.connect(str(precoro.warehouse.snapshot), read_only=True) as con:
        comments = con.execute("select comment from duckdb_functions() where function_name = 'explain'").fetchall()
        tables = con.execute("select distinct table_name from duckdb_tables()").fetchall()

    assert comments[0][0].startswith("The history of one record, step by step")
    assert set(sql.statement("analytics", "explain").reads) <= {name for (name,) in tables}
