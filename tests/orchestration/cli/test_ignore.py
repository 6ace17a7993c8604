"""`millpond ignore`: records that are held back are ignored until a date, listed, and counted again."""

import json
from datetime import timedelta

import polars as pl
import pytest

from assets.delivery.ledger.tables import ensure_ledger
from resources.clock import utc_now
from resources.warehouse.tables import insert_frame, replace_table
from tests.assets.delivery.builders import customer, customers, desired, mart
from tests.orchestration.cli.test_main import run_command
from tests.orchestration.conftest import Home

WORKFLOW = "suiteprojects__customers"


@pytest.fixture
def held(home: Home) -> Home:
    """One customer that is too long, and one that is delivered."""
    names = ["workflow", "source", "source_id", "action", "reason_code", "reason"]
    rows = [
        (WORKFLOW, "customers", "107", "quarantined", "too_long", "name is too long"),
        (WORKFLOW, "customers", "108", "unchanged", "", ""),
    ]
    with home.warehouse.writer() as con:
        ensure_ledger(con)
        replace_table(con, "stg_netsuite__customers", customers(customer("107"), customer("108")))
        replace_table(con, f"mart_{WORKFLOW}", mart(desired("107"), desired("108")))
        con.execute(
            "insert into lineage_columns by name select ? as workflow, 'stg_netsuite__customers' as source_table",
            [WORKFLOW],
        )
        insert_frame(con, "sync_decisions", pl.DataFrame(rows, schema=names, orient="row"))
    return home


def test_a_record_is_ignored_listed_and_counted_again(held: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """With the name of the user; a record that is delivered cannot be ignored."""
    until = f"{utc_now(held.sandbox.clock).date() + timedelta(days=30)}"
    form = ("--until", until, "--reason", "wait for legal")

    done = run_command(capsys, "ignore", "107", *form)
    assert (done.code, done.lines[-1]) == (0, f"1 record ignored until {until}; `millpond ignore` lists them")
    (row,) = json.loads(run_command(capsys, "ignore", "--json").out)["ignored"]
    assert (row["source_id"], row["until_on"], row["note"]) == ("107", until, "wait for legal")
    assert row["decided_by"]

    assert run_command(capsys, "ignore", "108", *form).code == 2
    assert run_command(capsys, "ignore", "107", "--stop", "--reason", "signed").lines[-1] == "1 record counted again"
    assert run_command(capsys, "ignore").lines[-1] == "no record is ignored"
    notes = held.warehouse.read("select event, note from sync_events order by position").rows()
    assert notes == [("ignored", "wait for legal"), ("counted_again", "signed")]


def test_a_record_that_no_workflow_holds_back_names_them_all(held: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The error named one of them, although none has decided on the record yet."""
    until = f"{utc_now(held.sandbox.clock).date() + timedelta(days=30)}"
    with held.warehouse.writer() as con:
        con.execute("insert into lineage_columns by name select 'precoro__options' as workflow, source_table from"
                    " lineage_columns limit 1")  # fmt: skip
        con.execute("delete from sync_decisions")

    done = run_command(capsys, "ignore", "107", "--until", until, "--reason", "x")

    text = f"none of precoro__options, {WORKFLOW} holds any of these records back now; there is nothing to ignore"
    assert (done.code, text in " ".join(done.lines)) == (2, True)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((), "add `--until DATE --reason TEXT`, or `--stop`"),
        (("--until", "2099-01-01", "--reason", "x"), "for a year at most"),
        (("--until", "tomorrow", "--reason", "x"), "tomorrow is not a day such as"),
        (("--until", "20991231", "--reason", "x"), "20991231 is not a day such as"),
        (("--stop",), "none of these records is ignored"),
    ],
)
def test_what_cannot_be_ignored_is_refused(
    held: Home, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], text: str
) -> None:
    """With the reason, and nothing is stored."""
    done = run_command(capsys, "ignore", "107", *given)

    assert done.code == 2
    assert text in " ".join(done.lines)
    assert held.warehouse.table("sync_ignored").is_empty()


def test_an_explanation_writes_truth_values_as_the_warehouse_does(
    held: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """`explain` printed `False`, and with `--as-of` and in its changes `false`."""
    assert held.warehouse.exists()
    assert "is_inactive: false" in run_command(capsys, "explain", "107").out
