"""NetSuite's own clock: the sandbox's, ahead or behind by the switch `clock_skew_s`."""

from datetime import datetime, timedelta

from resources.clock import Clock
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.switches import SwitchBoard


class AccountClock:
    """The time by which records are stamped and tokens judged."""

    def __init__(self, clock: Clock, switches: SwitchBoard) -> None:
        self._clock = clock
        self._switches = switches

    def now(self) -> datetime:
        """The account's time in UTC."""
        skew = self._switches.load("netsuite", NetSuiteSwitches).clock_skew_s
        return self._clock.now() + timedelta(seconds=skew) if skew else self._clock.now()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._clock.sleep(seconds)
