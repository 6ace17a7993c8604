"""Attempts without an outcome are found, and so is the last rejection of each record."""

from datetime import timedelta

import pytest

from assets.delivery.ledger.attempts import (
    open_intents,
    read_rejected,
    rejected_unexplained,
    rewritten_by_others,
    write_attempts,
)
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.schemas import REJECTED_SCHEMA, SourceKey
from assets.delivery.target import UNEXPLAINED
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.ledger.ledger_rows import MOMENT, attempt


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
def test_an_attempt_is_open_until_its_outcome_is_known(warehouse: Warehouse, states: list[str], is_open: bool) -> None:  # noqa: FBT001
    """The next run looks in the target for the attempts of a killed run."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        write_attempts(con, [attempt(state) for state in states])

        found = open_intents(con, "flow")
        assert open_intents(con, "other") == []

    assert found == [attempt("intent")] * is_open


@pytest.mark.parametrize(
    ("states", "since_s", "is_rejected"),
    [
        (["intent", "rejected"], 0, True),
        (["intent", "rejected"], 5, False),
        (["intent", "rejected", "intent", "confirmed"], 0, False),
        (["intent", "confirmed", "intent", "rejected"], 0, True),
        (["intent", "unknown"], 0, False),
    ],
)
def test_only_the_last_outcome_counts_as_a_rejection(
    warehouse: Warehouse,
    states: list[str],
    since_s: int,
    is_rejected: bool,  # noqa: FBT001
) -> None:
    """An old rejection is ignored, and so is one before a success."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        rows = [attempt(state, seconds=place, attempt_id=f"a{place // 2}") for place, state in enumerate(states)]
        write_attempts(con, rows)

        found = read_rejected(con, "flow", MOMENT + timedelta(seconds=since_s), MOMENT + timedelta(days=1))

    assert found.columns == list(REJECTED_SCHEMA)
    assert [row["rejected_reason"] for row in found.to_dicts()] == ["too odd"] * is_rejected


@pytest.mark.parametrize(
    ("outcomes", "run_id", "is_final"),
    [
        ([("r1", "unknown", UNEXPLAINED)], "r2", True),
        ([("r1", "unknown", UNEXPLAINED)], "r1", False),  # a step that is tried again within its run
        ([("r1", "confirmed", ""), ("r2", "unknown", UNEXPLAINED)], "r2", False),
        ([("r1", "unknown", UNEXPLAINED), ("r2", "unknown", UNEXPLAINED)], "r2", True),
        ([("r1", "unknown", UNEXPLAINED), ("r2", "found", "")], "r3", False),
        ([("r1", "unknown", "")], "r2", False),
    ],
)
def test_a_rejection_without_a_reason_counts_if_an_earlier_run_had_it(
    warehouse: Warehouse,
    outcomes: list[tuple[str, str, str]],
    run_id: str,
    is_final: bool,  # noqa: FBT001
) -> None:
    """Twice in one run is one bad moment of the service; in two runs it is about the record."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        for number, (run, state, code) in enumerate(outcomes):
            write_attempts(con, [attempt(state, run_id=run, code=code, attempt_id=f"a{number}")])

        found = rejected_unexplained(con, "flow", run_id)

    assert found == {SourceKey("customers", "1")} if is_final else not found


def test_a_change_whose_record_another_workflow_wrote_later_cannot_be_recognized(warehouse: Warehouse) -> None:
    """The same values would be there if it had not arrived."""
    change = {"action": "update", "target_id": "7"}
    own = [attempt("intent", attempt_id=each, **change) for each in ("before", "after")]
    other = attempt("confirmed", attempt_id="other", workflow="other", **change)
    same = attempt("confirmed", attempt_id="same", **change)
    with warehouse.writer() as con:
        ensure_ledger(con)
        write_attempts(con, [own[0], other, own[1], same])

        assert rewritten_by_others(con, own) == {"before"}
