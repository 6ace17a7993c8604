"""The analysts' views of deliveries: what was delivered, not what was looked at or planned."""

from datetime import timedelta

import polars as pl
import pytest

import sql
from resources.warehouse.tables import replace_table
from tests.assets.delivery.builders import customer, option_tree
from tests.assets.delivery.run_workflow import WorkflowRunner


def view(runner: WorkflowRunner, name: str) -> list[dict[str, object]]:
    """Return the rows of a view."""
    with runner.warehouse.writer() as con:
        con.execute(sql.statement("analytics", name).text)
        found = con.execute(f"from {name}")
        return [dict(zip([each[0] for each in found.description or ()], row, strict=True)) for row in found.fetchall()]


def status(runner: WorkflowRunner) -> dict[str, object]:
    """Return the only row of workflow_status."""
    (row,) = view(runner, "workflow_status")
    return row


@pytest.mark.long
def test_records_that_were_switched_off_are_counted_apart(precoro: WorkflowRunner) -> None:
    """They are in the target, but no one can select them; later runs that send nothing to them change nothing."""
    precoro.stage(customer("1"), customer("2")).run()
    precoro.stage(customer("1"), customer("2", is_inactive=True)).run()

    assert (status(precoro)["in_target"], status(precoro)["switched_off"]) == (1, 1)
    precoro.run()
    assert (status(precoro)["in_target"], status(precoro)["switched_off"]) == (1, 1)
    precoro.stage(customer("1"), customer("2")).run()
    assert (status(precoro)["in_target"], status(precoro)["switched_off"]) == (2, 0)


def test_a_run_that_only_planned_does_not_replace_the_last_delivery(precoro: WorkflowRunner) -> None:
    """Its time is shown beside it."""
    precoro.spec = option_tree()
    precoro.stage(customer("1"))
    precoro.plan("only planned")
    assert (status(precoro)["state"], status(precoro)["finished_at"]) == (None, None)
    precoro.run()
    delivered = status(precoro)

    precoro.plan("only planned again")

    after = status(precoro)
    assert after["state"] == "finished"
    assert {**after, "planned_at": None} == {**delivered, "planned_at": None}
    assert after["planned_at"] != delivered["planned_at"]


@pytest.mark.long
def test_a_run_that_only_planned_has_written_nothing(precoro: WorkflowRunner) -> None:
    """Its counts are what it would write, and cost a delivery nothing."""
    with precoro.warehouse.writer() as con:
        con.execute(
            "create or replace table netsuite_reads (run_id varchar, read_at timestamp, seconds double,"
            " inserted bigint, updated bigint, unchanged bigint, deleted bigint, calls bigint)"
        )
    precoro.stage(customer("1"), customer("2"))
    precoro.plan("only planned")
    precoro.run()

    written = {row["run_id"]: (row["written"], row["calls_per_written"]) for row in view(precoro, "run_costs")}

    assert written["only planned"] == (0, None)
    assert written["run 0"][0] == 2


@pytest.mark.long
def test_freshness_counts_neither_partial_comparisons_nor_what_is_switched_off(precoro: WorkflowRunner) -> None:
    """A run for a change notification compared one record; a record that no one can select is not behind."""
    with precoro.warehouse.writer() as con:
        replace_table(
            con, "stg_netsuite__contacts", pl.DataFrame(schema={"contact_id": pl.String, "modified_at": pl.Date})
        )
        con.execute("alter table stg_netsuite__contacts alter modified_at type timestamp")
    precoro.stage(customer("1"), customer("2")).run()
    precoro.stage(customer("1"), customer("2", is_inactive=True)).run()
    compared = {row["source_id"]: (row["is_active"], row["compared_at"]) for row in view(precoro, "record_freshness")}
    with precoro.warehouse.writer() as con:
        con.execute("update sync_plans set kind = 'realtime' where sent_by = 'run 1'")
        ((first,),) = con.execute("select finished_at from sync_runs where run_id = 'run 0'").fetchall()

    before = {row["source_id"]: row["compared_at"] for row in view(precoro, "record_freshness")}

    assert {key: active for key, (active, _) in compared.items()} == {"1": True, "2": False}
    assert set(before.values()) == {first}
    assert set(before.values()) != {at for _, at in compared.values()}


@pytest.mark.long
def test_another_workflow_file_makes_no_change_late(precoro: WorkflowRunner) -> None:
    """The change arrived with the first write after it; the links are confirmed again."""
    with precoro.warehouse.writer() as con:
        replace_table(
            con, "stg_netsuite__contacts", pl.DataFrame(schema={"contact_id": pl.String, "modified_at": pl.Date})
        )
        con.execute("alter table stg_netsuite__contacts alter modified_at type timestamp")
    precoro.stage(customer("1", modified_at=precoro.context("").now - timedelta(minutes=1))).run()
    first = view(precoro, "record_freshness")
    precoro.clock.sleep(3600)
    precoro.spec = option_tree(guards={"deactivate": {"percent": 99}})
    precoro.run()

    again = view(precoro, "record_freshness")

    assert again[0]["confirmed_at"] != first[0]["confirmed_at"]
    assert [row["seconds_to_target"] for row in again] == [row["seconds_to_target"] for row in first]
