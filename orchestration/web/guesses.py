"""One wrong token a second, from each client and from all together, whichever way it is given."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

PAUSE_S = 1.0
CLIENTS = 1000  # remembered at once


class Guesses:
    """The times of the last wrong tokens; used by one event loop, between whose waits nothing else runs."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._last: OrderedDict[str, float] = OrderedDict()  # by client; "" stands for all

    def is_allowed(self, client: str) -> bool:
        """Return whether a token may be compared now; the right one is not looked at either, or it would be found."""
        now = self._now()
        return all(now - self._last.get(each, -PAUSE_S) >= PAUSE_S for each in (client, ""))

    def was_wrong(self, client: str) -> None:
        """Remember a wrong token."""
        for each in (client, ""):
            self._last[each] = self._now()
            self._last.move_to_end(each)
        while len(self._last) > CLIENTS:
            self._last.popitem(last=False)
