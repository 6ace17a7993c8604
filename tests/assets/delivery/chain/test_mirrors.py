"""Decisions of people about shadow mode and imports are compared with the events that recorded them."""

from datetime import timedelta

import duckdb
import polars as pl
import pytest

from assets.delivery.chain.seal import seal
from assets.delivery.imports.selection import ImportSelection, deselect_records, select_records
from assets.delivery.ledger.events import Event, Happened, record_event
from assets.delivery.ledger.shadows import (
    Shadow,
    active_shadow,
    begin_shadow,
    confirm_off,
    continue_shadows,
    end_shadow,
)
from assets.delivery.spec.workflow import Workflow
from resources.signing import Signer
from resources.warehouse.tables import replace_table
from tests.assets.delivery.builders import one_source
from tests.assets.delivery.chain.ledger_chain import KEY, SWITCHES, at, verified
from tests.assets.delivery.ledger.ledger_rows import MOMENT

IMPORTING = Workflow("imports", one_source(imports={"select": "selected"}))


def decide(con: duckdb.DuckDBPyConnection, *, off: bool = True) -> None:
    """Start, stop and start a period, switch the other connector off; select records and deselect one."""
    shadow = Shadow("flow", 0, "the connector", 3600.0, "ada", at(1))
    begin_shadow(con, shadow)
    end_shadow(con, "flow", "bob", at(2), "seen enough")
    begin_shadow(con, Shadow("flow", 0, "the other one", None, "ada", at(3)))
    period = active_shadow(con, "flow")
    assert period
    if off:
        confirm_off(con, period, "ada", at(4))
    mart = pl.DataFrame({
        "source": ["customers"] * 3, "source_id": ["1", "2", "3"], "disposition": ["deliver"] * 3,
        "reason": [None] * 3, "name": ["A", "B", "C"],
    }, schema_overrides={"reason": pl.String})  # fmt: skip
    replace_table(con, "mart_imports", mart)
    select_records(con, IMPORTING, ImportSelection(all_records=True), "r1", MOMENT)
    select_records(con, IMPORTING, ImportSelection(ids=("2",)), "r2", MOMENT + timedelta(hours=1))
    deselect_records(con, "imports", ["3"], MOMENT)
    seal(con, Signer(KEY), at(5), SWITCHES)


def test_what_was_decided_is_as_recorded(con: duckdb.DuckDBPyConnection) -> None:
    """Periods that ended and go on, a later selection of the same record, and one that was taken back."""
    decide(con)

    found = verified(con)

    assert found.is_whole, found.problems


def test_whoever_confirms_last_that_the_other_connector_is_off_counts(con: duckdb.DuckDBPyConnection) -> None:
    """A second confirmation is no change of the ledger by someone else."""
    decide(con)
    period = active_shadow(con, "flow")
    assert period
    confirm_off(con, period, "bob", at(5))
    seal(con, Signer(KEY), at(6), SWITCHES)

    found = verified(con)

    assert found.is_whole, found.problems
    assert con.execute("select off_by from sync_shadow_periods where number = 2").fetchall() == [("bob",)]


def test_a_period_that_goes_on_after_a_restore_is_recorded_with_its_confirmation(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """The backup is from before both."""
    seal(con, Signer(KEY), at(1), SWITCHES)
    continue_shadows(con, [Shadow("flow", 3, "the connector", None, "ada", at(1), off_by="bob", off_at=at(2))])
    seal(con, Signer(KEY), at(3), SWITCHES)

    found, period = verified(con), active_shadow(con, "flow")

    assert found.is_whole, found.problems
    assert period
    assert (period.number, period.off_by) == (1, "bob")


PERIODS = "sync_shadow_periods"
SELECTION = "sync_import_selection"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (f"update {PERIODS} set stopped_by = 'eve', stopped_at = now() where number = 2", "flow 2 is there, and no"),
        (f"delete from {PERIODS} where number = 2", "flow 2 is not there, and the last recorded"),
        (f"update {PERIODS} set started_at = '2001-01-01' where number = 1", "flow 1 was changed: the last"),
        (f"update {PERIODS} set incumbent = 'none' where number = 2", "flow 2 was changed"),
        (f"update {PERIODS} set stopped_by = null, stopped_at = null where number = 1", "flow 1 is not there"),
        (f"update {PERIODS} set off_by = 'eve' where number = 2", "flow 2 was changed"),
        (f"update {PERIODS} set off_by = null, off_at = null", "flow 2 is not there"),
        (
            f"insert into {PERIODS} by name select * replace (9 as number) from {PERIODS} where number = 2",
            "flow 9 is there, and no recorded decision set it",
        ),
        (f"update {SELECTION} set run_id = 'r9' where source_id = '1'", "imports customers 1 was changed"),
        (f"delete from {SELECTION} where source_id = '2'", "imports customers 2 is not there"),
        (
            f"insert into {SELECTION} by name select * replace ('3' as source_id) from {SELECTION} limit 1",
            "imports customers 3 was changed",
        ),
    ],
)
def test_what_was_decided_otherwise_is_found(con: duckdb.DuckDBPyConnection, change: str, text: str) -> None:
    """Each of them lets something be sent, or sends nothing, as no one decided."""
    decide(con)
    con.execute(change)

    found = verified(con)

    assert any(text in each.text for each in found.problems), found.problems
    assert {each.what for each in found.problems} == {"decision"}


def test_a_chain_that_begins_takes_over_what_the_tables_have(con: duckdb.DuckDBPyConnection) -> None:
    """A warehouse from before the chain has no events."""
    decide(con)
    for table in ("sync_events", "sync_chain", "sync_checkpoints"):
        con.execute(f"delete from {table}")
    seal(con, Signer(KEY), at(6), SWITCHES)

    found = verified(con)

    assert found.is_whole, found.problems


@pytest.mark.parametrize("damaged", ["details = '{'", "details = ''", "workflow = null", "subject = null"])
def test_damaged_events_are_named(con: duckdb.DuckDBPyConnection, damaged: str) -> None:
    """Details that cannot be read, or a lost name, are findings and no error."""
    decide(con)
    record_event(con, Event(event=Happened.SWITCHED, at=at(5), workflow="flow", by="ada", details={"active": True}))
    seal(con, Signer(KEY), at(6), SWITCHES)
    con.execute(f"update sync_events set {damaged}")

    found = verified(con)

    assert {each.what for each in found.problems} & {"changed", "removed", "inserted"}, found.problems
