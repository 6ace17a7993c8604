"""The duration of a plan is estimated before anything is sent."""

import math
from collections import deque

import pytest

from assets.precoro.estimate import seconds_for
from assets.precoro.target import OptionTarget
from resources.precoro.client import PrecoroClient
from resources.precoro.connect import SPACING_S, WINDOWS

DAY_S = 86_400


def simulated(calls: int) -> float:
    """Return the time of the last call, in seconds, if each call is sent as soon as every window allows it."""
    recent = {window.name: deque[float]() for window in WINDOWS}
    at = -SPACING_S
    for _ in range(calls):
        at += SPACING_S
        for window in WINDOWS:
            if len(recent[window.name]) == window.calls:
                at = max(at, recent[window.name][0] + window.seconds)
        for window in WINDOWS:
            recent[window.name].append(at)
            if len(recent[window.name]) > window.calls:
                recent[window.name].popleft()
    return max(at, 0.0)


@pytest.mark.parametrize("calls", [0, 1, 2, 60, 61, 1500, 1501, 3000, 3001, 4501, 6001, 10_000])
def test_the_estimate_equals_a_simulation_of_the_windows(calls: int) -> None:
    """The formula agrees with a simulation of every call, within one percent."""
    assert seconds_for(calls) == pytest.approx(simulated(calls), rel=0.01, abs=1.0)


def test_ten_thousand_options_take_four_days(target: OptionTarget) -> None:
    """At 3,000 calls a day, the last thousand are sent on the fourth day."""
    estimate = target.estimate({"create": 10_000})

    assert estimate.calls == 10_000
    assert estimate.seconds is not None
    assert math.ceil(estimate.seconds / DAY_S) == 4


def test_a_restriction_to_legal_entities_costs_one_more_call(precoro: PrecoroClient) -> None:
    """This applies to new options only."""
    restricted = OptionTarget(precoro, 5144, legal_entity_ids=["7"])

    assert restricted.estimate({"create": 10, "update": 5}).calls == 25


def test_nothing_to_send_takes_no_time(target: OptionTarget) -> None:
    """This is the usual nightly run."""
    assert (target.estimate({}).calls, target.estimate({}).seconds) == (0, 0.0)
