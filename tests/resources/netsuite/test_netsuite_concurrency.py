"""The number of parallel calls follows NetSuite's responses."""

import threading
from time import sleep

import pytest

from resources.netsuite.concurrency import SUCCESSES, ConcurrencyLimit


def test_a_429_halves_the_slots_and_successes_add_one() -> None:
    """Additive increase, multiplicative decrease, as a shared limit requires."""
    limit = ConcurrencyLimit(8)

    limit.decrease()
    for _ in range(SUCCESSES * 4):
        limit.increase()

    assert limit.slots == 5


def test_slots_stay_between_one_and_the_limit() -> None:
    """One slot stays; more than the account allows would only be rejected."""
    limit = ConcurrencyLimit(4)
    for _ in range(9):
        limit.decrease()
    fewest = limit.slots

    limit.apply({"accountConcurrencyLimit": 3})
    for _ in range(SUCCESSES * 100):
        limit.increase()

    assert (fewest, limit.slots) == (1, 2)


def test_no_more_calls_run_than_there_are_slots() -> None:
    """A decreased limit applies to work that is already queued."""
    limit = ConcurrencyLimit(6)
    limit.decrease()
    busy, most, guard = 0, 0, threading.Lock()
    together = threading.Barrier(3)

    def work(number: int) -> int:
        nonlocal busy, most
        with limit.slot():
            with guard:
                busy += 1
                most = max(most, busy)
            together.wait(10)
            with guard:
                busy -= 1
        return number

    assert sorted(limit.map_unordered(work, range(12))) == list(range(12))
    assert most == 3


def test_the_first_error_cancels_the_rest() -> None:
    """A rejected key must not be tried again by every worker."""
    limit = ConcurrencyLimit(2)
    done: list[int] = []

    def work(number: int) -> None:
        if number == 0:
            raise ValueError("no")
        sleep(0.002)  # a request takes longer than seeing an error
        done.append(number)

    with pytest.raises(ValueError, match="no"):
        list(limit.map_unordered(work, range(500)))
    assert len(done) < 499
