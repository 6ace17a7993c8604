"""A decision is one row for as long as it holds."""

import duckdb

from assets.delivery.ledger.decisions import replaced_since, write_decisions
from assets.delivery.ledger.sequence import next_position
from assets.delivery.ledger.tables import ensure_ledger
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.ledger.ledger_rows import MOMENT, decided


def periods(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, str | None]]:
    """Return source id, action, first run, and the run that decided otherwise."""
    return con.execute("select source_id, action, from_run, to_run from sync_decisions order by from_run, 1").fetchall()


def test_a_decision_holds_until_another_one_is_made(warehouse: Warehouse) -> None:
    """One row per decision, not per run, so that the table grows with changes."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        both = decided(_1=("unchanged", "901"), _2=("unchanged", "902"))
        write_decisions(con, "flow", "v", "r1", MOMENT, both)
        write_decisions(con, "flow", "v", "r2", MOMENT, both)
        write_decisions(con, "flow", "v", "r3", MOMENT, decided(_1=("update", "901")))
        write_decisions(con, "other", "v", "r4", MOMENT, both)

        found = periods(con)

    assert found == [
        ("1", "unchanged", "r1", "r3"),
        ("2", "unchanged", "r1", "r3"),  # no longer in any source
        ("1", "update", "r3", None),
        ("1", "unchanged", "r4", None),
        ("2", "unchanged", "r4", None),
    ]


def test_another_target_record_is_another_decision(warehouse: Warehouse) -> None:
    """The action is the same, the target record is not."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        write_decisions(con, "flow", "v", "r1", MOMENT, decided(_1=("unchanged", "901")))
        write_decisions(con, "flow", "v", "r2", MOMENT, decided(_1=("unchanged", "902")))

        assert [row[2:] for row in periods(con)] == [("r1", "r2"), ("r2", None)]


def test_only_what_a_record_had_when_the_plan_was_made_was_replaced_since(warehouse: Warehouse) -> None:
    """A record that lost its target record before the plan says nothing about who has that one now."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        write_decisions(con, "flow", "v", "r1", MOMENT, decided(_1=("unchanged", "901"), _2=("unchanged", "902")))
        write_decisions(con, "flow", "v", "r2", MOMENT, decided(_1=("create", None), _2=("unchanged", "902")))
        con.execute("insert into sync_plans (plan_id, position) values ('p', ?)", [next_position(con)])
        write_decisions(con, "flow", "v", "r3", MOMENT, decided(_1=("create", None), _2=("unchanged", "903")))

        assert replaced_since(con, "flow", "p") == {"902"}
