"""How many calls run side by side."""

import threading
from time import sleep

import pytest

from resources.netsuite.concurrency import CLEAN_ANSWERS, Lanes


def test_a_refusal_halves_and_clean_answers_widen_by_one() -> None:
    """Additive increase, multiplicative decrease: what a shared limit asks for."""
    lanes = Lanes(8)

    lanes.narrow()
    for _ in range(CLEAN_ANSWERS * 4):
        lanes.widen()

    assert lanes.open == 5


def test_lanes_never_close_and_never_pass_their_limit() -> None:
    """One lane goes on; more than the account allows only costs refusals."""
    lanes = Lanes(4)
    for _ in range(9):
        lanes.narrow()
    narrowest = lanes.open

    lanes.grant({"accountConcurrencyLimit": 3})
    for _ in range(CLEAN_ANSWERS * 100):
        lanes.widen()

    assert (narrowest, lanes.open) == (1, 2)


def test_no_more_calls_run_than_lanes_are_open() -> None:
    """The narrowed limit binds work that is already queued."""
    lanes = Lanes(6)
    lanes.narrow()
    busy, most, guard = 0, 0, threading.Lock()
    together = threading.Barrier(3)

    def work(number: int) -> int:
        nonlocal busy, most
        with lanes.lane():
            with guard:
                busy += 1
                most = max(most, busy)
            together.wait(10)
            with guard:
                busy -= 1
        return number

    assert sorted(lanes.each(work, range(12))) == list(range(12))
    assert most == 3


def test_the_first_error_ends_the_rest() -> None:
    """A refused key must not be tried by every worker."""
    lanes = Lanes(2)
    done: list[int] = []

    def work(number: int) -> None:
        if number == 0:
            raise ValueError("no")
        sleep(0.002)  # a request takes longer than seeing an error
        done.append(number)

    with pytest.raises(ValueError, match="no"):
        list(lanes.each(work, range(500)))
    assert len(done) < 499
