"""A steady reading counts seconds, whatever the machine's clock is set to."""

import time

import pytest

from resources.clock import WallClock, steady

DAY_S = 86_400


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_a_steady_reading_does_not_follow_a_clock_that_is_set(monkeypatch: pytest.MonkeyPatch, jump_s: int) -> None:
    """A plan would expire, or never, because someone corrected the time."""
    clock, before, real = WallClock(), steady(WallClock()), time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump_s)

    after = steady(clock)

    assert after.origin == before.origin
    assert 0 <= after.seconds - before.seconds < DAY_S / 2
