"""Each run has one row per workflow, with counts, calls and a state."""

from assets.delivery.ledger.runs import COUNT_COLUMNS, counts_of, update_run
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.target import Action
from resources.warehouse.tables import read_frame
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.ledger.ledger_rows import decided


def test_calls_of_a_run_are_added_up(warehouse: Warehouse) -> None:
    """Reading, planning and sending are three steps of one run."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        update_run(con, "r1", "flow", {"state": "read"}, calls=2)
        update_run(con, "r1", "flow", {"state": "finished", "created": 1}, calls=3)
        update_run(con, "r1", "other", {"state": "read"})

        runs = read_frame(con, "select workflow, state, created, calls from sync_runs order by workflow").rows()

    assert runs == [("flow", "finished", 1, 5), ("other", "read", None, 0)]


def test_every_action_has_a_count(warehouse: Warehouse) -> None:
    """Each action has its column in sync_runs."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        update_run(con, "r1", "flow", dict.fromkeys(COUNT_COLUMNS.values(), 1))

    assert set(COUNT_COLUMNS) == set(Action)


def test_decisions_are_counted_by_action() -> None:
    """Records that the prefilter counted are added."""
    counts = counts_of(decided(_1=("create", "901"), _2=("deferred", "902")), {"unchanged": 7, "create": 1})

    assert {name: count for name, count in counts.items() if count} == {"created": 2, "deferred": 1, "unchanged": 7}
