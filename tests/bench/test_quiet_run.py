"""The run without changes of `make bench-plan`, with fewer records."""

import pytest

from tests.bench.plan import quiet_run


@pytest.mark.long
def test_a_run_without_changes_writes_nothing() -> None:
    """Peers that do not read the target send every row each time."""
    first, second = quiet_run(3_000)

    assert first >= 3
    assert second == 0
