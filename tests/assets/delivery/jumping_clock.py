"""A clock that someone sets, or that two machines with different times share."""

import random
from datetime import datetime, timedelta

from resources.clock import Clock, Reading, steady


class JumpingClock:
    """Another clock's time, ahead by `offset`; with `jumps`, by one of them at random whenever it is read."""

    def __init__(self, clock: Clock, *jumps: timedelta, seed: int = 0) -> None:
        self._clock, self._jumps, self._random = clock, jumps, random.Random(seed)
        self.offset = timedelta()

    def now(self) -> datetime:
        """Return the time in UTC."""
        if self._jumps:
            self.offset = self._random.choice(self._jumps)
        return self._clock.now() + self.offset

    def steady(self) -> Reading:
        """Return what no setting changes."""
        return steady(self._clock)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._clock.sleep(seconds)
