"""After a rebind nothing that the ledger knows of the old account's records applies to the new one."""

from collections.abc import Iterator

import duckdb
import pytest

from assets.delivery.errors import PlanError
from assets.delivery.ledger.attempts import (
    AttemptState,
    ambiguous_creates,
    open_intents,
    unfinished_creates,
    write_attempts,
)
from assets.delivery.ledger.freshness import record_input, require_current_target_state
from assets.delivery.ledger.rebind import forget_account
from assets.delivery.ledger.sequence import last_position
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.builders import one_source
from tests.assets.delivery.ledger.ledger_rows import MOMENT, attempt

FORGOTTEN = ("sync_links", "sync_manual_links", "sync_undo_holds", "sync_normalizations", "sync_ignored",
             "sync_shadow_records", "sync_shadow_differences", "sync_shadow_nights")  # fmt: skip
STATES = {  # of the last attempt -> of the same attempt after a rebind
    "open": (["intent"], "absent"),
    "unknown": (["intent", "unknown"], "absent"),
    "rejected": (["intent", "rejected"], "not_sent"),
    "confirmed": (["intent", "confirmed"], "confirmed"),
}


@pytest.fixture
def con(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """A writer section with a row of `flow` and one of another workflow in each table of the ledger."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        for workflow in ("flow", "other"):
            for table in FORGOTTEN:
                con.execute(f"insert into {table} by name select ? as workflow", [workflow])
            con.execute("insert into sync_decisions by name select ? as workflow, '1' as source_id", [workflow])
            for state in ("ready", "waiting", "sent"):
                con.execute("insert into sync_plans by name select ? as workflow, ? as state", [workflow, state])
        con.execute("create table target_flow as select 1 as target_id")
        yield con


def forget(con: duckdb.DuckDBPyConnection) -> int:
    """Forget the account of `flow`."""
    return forget_account(con, Workflow("flow", one_source()), MOMENT, "rebound")


@pytest.mark.parametrize("table", FORGOTTEN)
def test_what_names_records_of_the_old_account_is_forgotten(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Links, decisions of people, held values and what the target makes of ours."""
    assert forget(con) == 1

    assert con.execute(f"select workflow from {table}").fetchall() == [("other",)]


def test_decisions_end_open_plans_are_rejected_and_the_target_state_is_empty(con: duckdb.DuckDBPyConnection) -> None:
    """Sent plans stay as history; one that could still be sent would write the old account's ids."""
    forget(con)

    open_decisions = con.execute("select workflow from sync_decisions where to_run is null").fetchall()
    states = con.execute("select workflow, state from sync_plans order by all").fetchall()
    assert open_decisions == [("other",)]
    assert [state for workflow, state in states if workflow == "flow"] == ["rejected", "rejected", "sent"]
    assert [state for workflow, state in states if workflow == "other"] == ["ready", "sent", "waiting"]
    assert con.execute("select count(*) from target_flow").fetchall() == [(0,)]


def test_nothing_is_planned_before_the_new_account_was_read(con: duckdb.DuckDBPyConnection) -> None:
    """The target state is empty, not an account without records: a plan alone would create all of them again."""
    workflow = Workflow("flow", one_source())
    write_attempts(con, [attempt(AttemptState.CONFIRMED, source_id="1", attempt_id="sent")])
    record_input(con, workflow.target_state, "flow", "run", position=last_position(con))
    assert require_current_target_state(con, workflow)

    forget(con)

    with pytest.raises(PlanError, match="materialize target_flow"):
        require_current_target_state(con, workflow)


@pytest.mark.parametrize("kind", STATES)
def test_open_attempts_and_rejections_say_nothing_of_the_new_account(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    """The next run would look for the record there, or quarantine it unsent."""
    before, after = STATES[kind]
    write_attempts(con, [attempt(state, code="") for state in before])

    forget(con)

    last = con.execute("select arg_max(state, position) from sync_attempts").fetchall()
    assert last == [(after,)]
    assert open_intents(con, "flow") == []


def test_unfinished_and_ambiguous_creates_are_not_continued(con: duckdb.DuckDBPyConnection) -> None:
    """Their target ids belong to other records there."""
    write_attempts(con, [attempt("intent"), attempt("confirmed", code="unfinished", target_id="7")])
    write_attempts(con, [attempt(state, attempt_id="a2", source_id="2") for state in ("intent", "ambiguous")])

    forget(con)

    assert unfinished_creates(con, "flow") == []
    assert ambiguous_creates(con, "flow") == []
