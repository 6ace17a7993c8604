"""The run report uses the ledger's actions without importing the engine."""

from assets.delivery.ledger import runs
from assets.delivery.ledger.attempts import AttemptState
from assets.delivery.target import WRITING
from assets.warehouse.run_report import queries


def test_the_report_counts_the_actions_of_the_ledger() -> None:
    """An action that is missing here would be missing in every report."""
    assert {action.value: column for action, column in runs.COUNT_COLUMNS.items()} == queries.COUNT_COLUMNS
    assert set(queries.WRITES) == {action.value for action in WRITING}
    assert set(queries.SENT) == {AttemptState.CONFIRMED, AttemptState.FOUND, AttemptState.FINISHED}
