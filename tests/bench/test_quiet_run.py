"""The run without a change that `make bench-plan` prints, on fewer records."""

from tests.bench.plan import quiet_run


def test_a_run_without_a_change_writes_nothing() -> None:
    """Peers that do not know what is in the target send every row each time."""
    first, second = quiet_run(3_000)

    assert first >= 3
    assert second == 0
