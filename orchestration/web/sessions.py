"""Signed texts that a browser keeps: sessions, tickets to choose a password, and marks of known browsers.

session   until.number.signature[.name]   12 hours, until the server restarts; ends with the sign-out, and with the
                                          user's password or removal
ticket    the same, 10 minutes            for one exchange of a one-time password
device    number.signature.name           half a year; gives guesses of this user a limit of its own, and nothing else
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from resources.clock import WallClock, steady

SESSION_S = 12 * 3600
TICKET_S = 600
DEVICE_S = 180 * 24 * 3600
EXPIRY = re.compile(r"[0-9]{1,12}")
_SIGNED = re.compile(r"([0-9]{1,12})\.([0-9a-f]{16})\.[0-9a-f]{64}(?:\.([\w-]+))?", re.ASCII)
_DEVICE = re.compile(r"[0-9a-f]{16}")


class Sessions:
    """Signs with a key of this process: a cookie is not another way to guess a token or a password."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._ended: dict[str, int] = {}  # sessions that were signed out, until they expire

    def session(self, name: str, credential: str) -> str:
        """Return a session of a user, or of the token if the name is blank."""
        return self._made("session", int(_now()) + SESSION_S, name, credential)

    def ticket(self, name: str, credential: str) -> str:
        """Return a ticket to choose a password."""
        return self._made("ticket", int(_now()) + TICKET_S, name, credential)

    def is_valid(self, purpose: str, text: str, credential: str) -> bool:
        """Return whether a session or ticket was made for what the user has now, and has not expired."""
        found, name = _SIGNED.fullmatch(text), name_in(text)
        if found is None or name is None or int(found[1]) < _now() or text in self._ended:
            return False
        return hmac.compare_digest(
            text.encode(), self._made(purpose, int(found[1]), name, credential, found[2]).encode()
        )

    def end(self, session: str) -> None:
        """End a valid session: a copy of the cookie is of no use any more."""
        now = _now()
        self._ended = {each: until for each, until in self._ended.items() if until >= now}
        self._ended[session] = int(session.partition(".")[0])

    def _made(self, purpose: str, until: int, name: str, credential: str, number: str = "") -> str:
        number = number or secrets.token_hex(8)  # two browsers that sign in at once have two sessions
        signature = _signed(self._key, purpose, str(until), number, name, credential)
        return ".".join([str(until), number, signature, *([_encoded(name)] if name else [])])


def _now() -> float:
    """Return the seconds of a clock that cannot be set: the key does not outlive it."""
    return steady(WallClock()).seconds


def name_in(text: str) -> str | None:
    """Return the user name that a session or ticket claims; blank for the token, None if it cannot be read."""
    if not (found := _SIGNED.fullmatch(text)):
        return None
    name = found[3] or ""
    try:
        return urlsafe_b64decode(f"{name}{'=' * (-len(name) % 4)}").decode()
    except ValueError:
        return None


def device_mark(key: bytes, name: str) -> str:
    """Return the mark of a browser in which a user signed in."""
    number = secrets.token_hex(8)
    return f"{number}.{_signed(key, 'device', number, name)}.{_encoded(name)}"


def is_device_of(key: bytes, text: str, name: str) -> bool:
    """Return whether a browser has a mark of this user."""
    number = text.partition(".")[0]
    expected = f"{number}.{_signed(key, 'device', number, name)}.{_encoded(name)}"
    return bool(_DEVICE.fullmatch(number)) and hmac.compare_digest(text.encode(), expected.encode())


def _signed(key: bytes, *parts: str) -> str:
    return hmac.new(key, "\n".join(parts).encode(), sha256).hexdigest()


def _encoded(name: str) -> str:
    return urlsafe_b64encode(name.encode()).decode().rstrip("=")
