"""A machine's clock that someone sets, while the services keep the right time."""

from datetime import datetime, timedelta

from resources.clock import Clock, Reading, steady


class ShiftedClock:
    """Another clock's time, ahead by `offset`."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self.offset = clock, timedelta()

    def now(self) -> datetime:
        """Return the time in UTC."""
        return self._clock.now() + self.offset

    def steady(self) -> Reading:
        """Return the reading that does not change when the clock is set."""
        return steady(self._clock)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._clock.sleep(seconds)
