"""One wrong token or password a second, whichever way it is given.

from each client, and from all together; a browser in which a user signed in before has a limit of its own, so that
strangers who guess cannot lock its user out

A client that guessed wrong within a minute gives way to one that did not and was refused: who guesses steadily from one
address delays everyone else by at most one extra attempt.
"""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from time import monotonic

PAUSE_S = 1.0
WRONG_S = 60.0  # in which a client that guessed wrong gives way
WAITING_S = 10.0  # in which one that was refused tries again
CLIENTS = 1000  # remembered at once
EVERYONE = ""


class Guesses:
    """The times of the last wrong ones; used by one event loop, between whose waits nothing else runs."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._last: OrderedDict[str, float] = OrderedDict()
        self._refused: OrderedDict[str, float] = OrderedDict()  # because of others, without a wrong one of their own

    def is_allowed(self, client: str, other: str = EVERYONE) -> bool:
        """Return whether one may be compared now; the right one is not looked at either, or it would be found.

        Args:
            client: The client, or a browser that signed in before.
            other: What else is limited: everyone, or that browser again.
        """
        now = self._now()
        if not self._is_over(client, PAUSE_S, now):
            return False
        is_new = self._is_over(client, WRONG_S, now)
        gives_way = other == EVERYONE and not is_new and self._waits(now)
        if not gives_way and self._is_over(other, PAUSE_S, now):
            self._refused.pop(client, None)
            return True
        if other == EVERYONE and is_new:
            _add(self._refused, client, now)
        return False

    def _is_over(self, who: str, seconds: float, now: float) -> bool:
        return now - self._last.get(who, now - seconds) >= seconds

    def _waits(self, now: float) -> bool:
        """Return whether someone was refused because of others, and may try again."""
        newest = next(reversed(self._refused.values()), now - WAITING_S)
        return now - newest < WAITING_S

    def was_wrong(self, client: str, other: str = EVERYONE) -> None:
        """Remember a wrong one, or one that is being compared."""
        for each in (client, other):
            _add(self._last, each, self._now())

    def was_right(self, client: str, other: str = EVERYONE) -> None:
        """Forget the one that was being compared."""
        for each in (client, other):
            self._last.pop(each, None)


def client_of(address: str) -> str:
    """Return who is limited by an address; one IPv6 network of 64 bits is one client, which has all its addresses."""
    try:
        found = ip_address(address)
    except ValueError:  # a socket file has no address
        return f"client {address}"
    if isinstance(found, IPv6Address) and not found.ipv4_mapped:
        return f"client {ip_network((int(found), 64), strict=False)}"
    return f"client {getattr(found, 'ipv4_mapped', None) or found}"


def _add(times: OrderedDict[str, float], who: str, now: float) -> None:
    times[who] = now
    times.move_to_end(who)
    while len(times) > CLIENTS:
        times.popitem(last=False)
