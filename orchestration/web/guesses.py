"""One wrong token or password a second, whichever way it is given.

from each client, and from all together; a browser in which a user signed in before has a limit of its own, so that
strangers who guess cannot lock its user out
"""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

PAUSE_S = 1.0
CLIENTS = 1000  # remembered at once
EVERYONE = ""


class Guesses:
    """The times of the last wrong ones; used by one event loop, between whose waits nothing else runs."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._last: OrderedDict[str, float] = OrderedDict()

    def is_allowed(self, client: str, other: str = EVERYONE) -> bool:
        """Return whether one may be compared now; the right one is not looked at either, or it would be found.

        Args:
            client: The client, or a browser that signed in before.
            other: What else is limited: everyone, or that browser again.
        """
        now = self._now()
        return all(now - self._last.get(each, -PAUSE_S) >= PAUSE_S for each in (client, other))

    def was_wrong(self, client: str, other: str = EVERYONE) -> None:
        """Remember a wrong one, or one that is being compared."""
        for each in (client, other):
            self._last[each] = self._now()
            self._last.move_to_end(each)
        while len(self._last) > CLIENTS:
            self._last.popitem(last=False)

    def was_right(self, client: str, other: str = EVERYONE) -> None:
        """Forget the one that was being compared."""
        for each in (client, other):
            self._last.pop(each, None)
