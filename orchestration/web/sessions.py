"""Signed texts that a browser keeps: sessions, tickets to choose a password, and marks of known browsers.

session   until.signature[.name]    12 hours, until the server restarts; ends with the user's password or removal
ticket    the same, 10 minutes      for one exchange of a one-time password
device    number.signature.name     half a year; gives guesses of this user a limit of its own, and nothing else
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from time import time

SESSION_S = 12 * 3600
TICKET_S = 600
DEVICE_S = 180 * 24 * 3600
EXPIRY = re.compile(r"[0-9]{1,12}")
_SIGNED = re.compile(r"[0-9a-f]+\.[0-9a-f]{64}(?:\.([\w-]+))?", re.ASCII)
_DEVICE = re.compile(r"[0-9a-f]{16}")


class Sessions:
    """Signs with a key of this process: a cookie is not another way to guess a token or a password."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def session(self, name: str, credential: str) -> str:
        """Return a session of a user, or of the token if the name is blank."""
        return self._made("session", int(time()) + SESSION_S, name, credential)

    def ticket(self, name: str, credential: str) -> str:
        """Return a ticket to choose a password."""
        return self._made("ticket", int(time()) + TICKET_S, name, credential)

    def is_valid(self, purpose: str, text: str, credential: str) -> bool:
        """Return whether a session or ticket was made for what the user has now, and has not expired."""
        until, name = text.partition(".")[0], name_in(text)
        if name is None or not EXPIRY.fullmatch(until) or int(until) < time():
            return False
        return hmac.compare_digest(text.encode(), self._made(purpose, int(until), name, credential).encode())

    def _made(self, purpose: str, until: int, name: str, credential: str) -> str:
        signature = _signed(self._key, purpose, str(until), name, credential)
        return ".".join([str(until), signature, *([_encoded(name)] if name else [])])


def name_in(text: str) -> str | None:
    """Return the user name that a session, ticket or device claims; blank for the token, None if it cannot be read."""
    if not (found := _SIGNED.fullmatch(text)):
        return None
    name = found[1] or ""
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
