"""Passwords at rest: scrypt of the standard library, with its parameters beside each hash.

password  ->  hashed()  ->  `scrypt$16384$8$5$<salt>$<hash>`  ->  is_password()
"""

import hashlib
import hmac
import re
import secrets
import unicodedata
from base64 import b64decode, b64encode

MIN_LENGTH, MAX_LENGTH = 12, 256
ROUNDS, BLOCK, LANES = 2**14, 8, 5  # 16 MB; a tenth of a second or two
MAX_MEMORY = 64 * 1024 * 1024
SALT_BYTES = 16
HASHED = re.compile(r"scrypt(?:\$[0-9]{1,6}){3}(?:\$[A-Za-z0-9+/]+={0,2}){2}")


class PasswordError(ValueError):
    """The password cannot be used; the text has the reason, never the password."""


def checked(password: str, name: str) -> str:
    """Return the password; PasswordError if it is short, long, or the user's name."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise PasswordError(f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters")
    if len(set(password)) < MIN_LENGTH // 3 or name == password.lower():
        raise PasswordError("a password is neither the user's name nor a few characters repeated")
    return password


def hashed(password: str) -> str:
    """Return what is stored of a password."""
    salt = secrets.token_bytes(SALT_BYTES)
    digest = _scrypt(password, salt, ROUNDS, BLOCK, LANES)
    return "$".join(["scrypt", str(ROUNDS), str(BLOCK), str(LANES), _text(salt), _text(digest)])


def is_password(given: str, stored: str) -> bool:
    """Return whether this is the stored password; if none is stored, take as long and return False."""
    _, rounds, block, lanes, salt, digest = (stored or _NO_ONES).split("$")
    found = _scrypt(given[:MAX_LENGTH], b64decode(salt), int(rounds), int(block), int(lanes))
    return hmac.compare_digest(found, b64decode(digest)) and bool(stored) and len(given) <= MAX_LENGTH


def _scrypt(password: str, salt: bytes, rounds: int, block: int, lanes: int) -> bytes:
    # one password typed on two keyboards may be composed differently
    plain = unicodedata.normalize("NFKC", password).encode(errors="replace")
    return hashlib.scrypt(plain, salt=salt, n=rounds, r=block, p=lanes, maxmem=MAX_MEMORY)


def _text(value: bytes) -> str:
    return b64encode(value).decode()


_NO_ONES = "$".join(["scrypt", str(ROUNDS), str(BLOCK), str(LANES), _text(bytes(SALT_BYTES)), _text(bytes(64))])
