"""A clock that someone sets, or that two machines with different times share."""

import random
from datetime import datetime, timedelta

from orchestration.simulation.shifted_clock import ShiftedClock
from resources.clock import Clock


class JumpingClock(ShiftedClock):
    """Another clock's time, ahead by `offset`; with `jumps`, by one of them at random whenever it is read."""

    def __init__(self, clock: Clock, *jumps: timedelta, seed: int = 0) -> None:
        super().__init__(clock)
        self._jumps, self._random = jumps, random.Random(seed)

    def now(self) -> datetime:
        """Return the time in UTC."""
        if self._jumps:
            self.offset = self._random.choice(self._jumps)
        return super().now()
