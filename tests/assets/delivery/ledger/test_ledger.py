"""The warehouse remembers what was decided, sent and confirmed."""

from datetime import datetime, timedelta

import duckdb
import polars as pl
import pytest

from assets.delivery.ledger import ledger
from assets.delivery.schemas import LINK_SCHEMA, REFUSED_SCHEMA
from assets.delivery.target import Action
from resources.warehouse.tables import has_table, read_frame
from resources.warehouse.warehouse import Warehouse

MOMENT = datetime(2026, 11, 16, 6, 0)  # noqa: DTZ001 - the warehouse's timestamps are naive UTC


def decided(**actions: tuple[str, str]) -> pl.DataFrame:
    """Decisions by source id: action and target id."""
    rows = [("customers", key[1:], action, "code", "reason", target) for key, (action, target) in actions.items()]
    names = ["source", "source_id", "action", "reason_code", "reason", "target_id"]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def spells(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, str | None]]:
    """Source id, action, first run, run that ended it."""
    return con.execute("select source_id, action, from_run, to_run from sync_decisions order by from_run, 1").fetchall()


def attempt(state: str, source_id: str = "1", *, seconds: int = 0, attempt_id: str = "") -> tuple[object, ...]:
    """A row of sync_attempts."""
    row = {
        "attempt_id": attempt_id or f"attempt {source_id}",
        "state": state,
        "run_id": "r1",
        "workflow": "flow",
        "source": "customers",
        "source_id": source_id,
        "action": "create",
        "target_id": None,
        "payload_hash": "payload",
        "workflow_version": "version",
        "request_hash": "request",
        "image": None,
        "code": "12",
        "reason": "too odd",
        "seen_at": MOMENT + timedelta(seconds=seconds),
    }
    return tuple(row[name] for name in ledger.ATTEMPT_SCHEMA)


def test_the_ledger_is_made_once_and_described(warehouse: Warehouse) -> None:
    """Every run asks for it; what is there stays."""
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        ledger.note_run(con, "r1", "flow", {"state": "read"})
        ledger.ensure_ledger(con)

        kept = con.execute("select run_id from sync_runs").fetchall()
        comments = con.execute("select comment from duckdb_tables() where table_name like 'sync_%'").fetchall()
        assert all(has_table(con, name) for name in ledger.LEDGER)

    assert kept == [("r1",)]
    assert all(text for (text,) in comments)


def test_a_pond_of_an_earlier_version_gets_the_columns_that_it_lacks(warehouse: Warehouse) -> None:
    """With their meaning, and what it remembers stays."""
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        for table, columns in ledger.LATER.items():
            for name in columns:
                con.execute(f"alter table {table} drop column {name}")
        con.execute("insert into sync_runs (run_id, workflow) values ('r1', 'flow')")

    with warehouse.writer() as con:
        ledger.ensure_ledger(con)

        told = "select table_name, column_name from duckdb_columns() where comment is not null"
        described = set(con.execute(told).fetchall())
        assert {(table, name) for table, columns in ledger.LATER.items() for name in columns} <= described
        assert con.execute("select run_id, account from sync_runs").fetchall() == [("r1", None)]


def test_a_decision_lasts_until_another_one_is_taken(warehouse: Warehouse) -> None:
    """A spell per decision, not a row per run: growth is bounded by change."""
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        both = decided(_1=("unchanged", "901"), _2=("unchanged", "902"))
        ledger.write_decisions(con, "flow", "v", "r1", MOMENT, both)
        ledger.write_decisions(con, "flow", "v", "r2", MOMENT, both)
        ledger.write_decisions(con, "flow", "v", "r3", MOMENT, decided(_1=("update", "901")))
        ledger.write_decisions(con, "other", "v", "r4", MOMENT, both)

        told = spells(con)

    assert told == [
        ("1", "unchanged", "r1", "r3"),
        ("2", "unchanged", "r1", "r3"),  # it is in no source any more
        ("1", "update", "r3", None),
        ("1", "unchanged", "r4", None),
        ("2", "unchanged", "r4", None),
    ]


def test_another_target_record_is_another_decision(warehouse: Warehouse) -> None:
    """Unchanged in both runs, but not the same thing."""
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        ledger.write_decisions(con, "flow", "v", "r1", MOMENT, decided(_1=("unchanged", "901")))
        ledger.write_decisions(con, "flow", "v", "r2", MOMENT, decided(_1=("unchanged", "902")))

        assert [row[2:] for row in spells(con)] == [("r1", "r2"), ("r2", None)]


def test_a_link_is_replaced_and_others_stay(warehouse: Warehouse) -> None:
    """One link per source record and workflow."""
    names = ["workflow", "target", "source", "source_id", "target_id"]
    rows = [("flow", "t", "customers", "1", "901"), ("flow", "t", "customers", "2", "902")]
    elsewhere = [("other", "t", "customers", "1", "77")]
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        ledger.put(con, "sync_links", pl.DataFrame(rows + elsewhere, schema=names, orient="row"))
        ledger.put(
            con, "sync_links", pl.DataFrame([("flow", "t", "customers", "1", "999")], schema=names, orient="row")
        )

        links = ledger.read_links(con, "flow")
        none = ledger.read_links(con, "unknown")

    assert sorted(links.select("source_id", "target_id").rows()) == [("1", "999"), ("2", "902")]
    assert (none.height, none.columns) == (0, list(LINK_SCHEMA))


@pytest.mark.parametrize(
    ("states", "is_open"),
    [
        (["intent"], True),
        (["intent", "unknown"], True),
        (["intent", "confirmed"], False),
        (["intent", "unknown", "confirmed"], False),
        (["intent", "rejected"], False),
        (["intent", "not_sent"], False),
        (["intent", "absent"], False),
    ],
)
def test_an_attempt_is_open_until_its_end_is_known(warehouse: Warehouse, states: list[str], is_open: bool) -> None:  # noqa: FBT001
    """What a killed run or a lost answer left behind is looked for by the next run."""
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        ledger.write_attempts(con, [attempt(state) for state in states])

        found = ledger.open_intents(con, "flow")
        assert ledger.open_intents(con, "other").is_empty()

    assert found.height == is_open


@pytest.mark.parametrize(
    ("states", "since_s", "refused"),
    [
        (["intent", "rejected"], 0, True),
        (["intent", "rejected"], 5, False),
        (["intent", "rejected", "intent", "confirmed"], 0, False),
        (["intent", "confirmed", "intent", "rejected"], 0, True),
        (["intent", "unknown"], 0, False),
    ],
)
def test_the_last_answer_counts_as_the_refusal(
    warehouse: Warehouse,
    states: list[str],
    since_s: int,
    refused: bool,  # noqa: FBT001
) -> None:
    """An old refusal is forgotten, and one that a later success made good."""
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        rows = [attempt(state, seconds=place, attempt_id=f"a{place // 2}") for place, state in enumerate(states)]
        ledger.write_attempts(con, rows)

        found = ledger.read_refused(con, "flow", MOMENT + timedelta(seconds=since_s))

    assert found.columns == list(REFUSED_SCHEMA)
    assert [row["refused_reason"] for row in found.to_dicts()] == ["too odd"] * refused


def test_calls_of_a_run_are_added_up(warehouse: Warehouse) -> None:
    """Reading, planning and sending are three steps of one run."""
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        ledger.note_run(con, "r1", "flow", {"state": "read"}, calls=2)
        ledger.note_run(con, "r1", "flow", {"state": "finished", "created": 1}, calls=3)
        ledger.note_run(con, "r1", "other", {"state": "read"})

        runs = read_frame(con, "select workflow, state, created, calls from sync_runs order by workflow").rows()

    assert runs == [("flow", "finished", 1, 5), ("other", "read", None, 0)]


def test_every_action_is_counted(warehouse: Warehouse) -> None:
    """Each has a column of sync_runs."""
    with warehouse.writer() as con:
        ledger.ensure_ledger(con)
        ledger.note_run(con, "r1", "flow", dict.fromkeys(ledger.COUNTED.values(), 1))

    assert set(ledger.COUNTED) == set(Action)
