"""The account's clock: the sandbox's, ahead or behind by the switch `clock_skew_s`."""

from datetime import datetime, timedelta

from resources.clock import Clock
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.switches import SwitchBoard


class AccountClock:
    """The clock that stamps records and checks tokens."""

    def __init__(self, clock: Clock, switches: SwitchBoard) -> None:
        self._clock = clock
        self._switches = switches

    def now(self) -> datetime:
        """Return the account's time in UTC."""
        return self._clock.now() + timedelta(seconds=self._switches.load("netsuite", NetSuiteSwitches).clock_skew_s)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._clock.sleep(seconds)
