"""Encryption and signatures of text at rest with the keys of MILLPOND_ENCRYPTION_KEY.

Several keys are separated by commas: the first encrypts, each decrypts. To rotate, put the new key in front of the old
one and drop the old one when nothing encrypted with it is left.
"""

import hashlib
import hmac
import re

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

PREFIX = "sealed:"  # marks encrypted text; text written before a key was set has none

_KEY = re.compile(
    r"[A-Za-z0-9+/_-]{43}="
)  # base64 decoders leave out what is none, such as all of `key key` but the first
MALFORMED = "MILLPOND_ENCRYPTION_KEY must be 32 bytes in URL-safe base64; see .env.example"
NO_KEY = "encrypted, but no key is set: set MILLPOND_ENCRYPTION_KEY to the key that encrypted it"
WRONG_KEY = "encrypted with another MILLPOND_ENCRYPTION_KEY, or modified: set the key that encrypted it"
MOVED = "encrypted for another record, or modified"
PLAIN = "not encrypted, so it was stored before MILLPOND_ENCRYPTION_KEY was set, or modified"


class EncryptionError(Exception):
    """A key is malformed, missing or wrong; the text says what to set."""


class Cipher:
    """Encrypts and decrypts text; without a key, text stays readable."""

    def __init__(self, keys: str = "") -> None:
        """Parse the keys.

        Args:
            keys: Keys of 32 bytes in URL-safe base64, as `Fernet.generate_key()` returns them; blank for none.

        Raises:
            EncryptionError: A key has another form.
        """
        given = [key.strip() for key in keys.split(",")] if keys.strip() else []
        if not all(map(_KEY.fullmatch, given)):
            raise EncryptionError(MALFORMED)
        self._signing = [hmac.digest(key.encode(), b"millpond: signatures", "sha256") for key in given]
        self._fernet = MultiFernet([Fernet(key) for key in given]) if given else None

    @property
    def has_key(self) -> bool:
        """Return whether `encrypt` makes text unreadable."""
        return self._fernet is not None

    def encrypt(self, text: str, *, of: str = "") -> str:
        """Return the text encrypted and marked with PREFIX, or unchanged without a key.

        Args:
            text: The text.
            of: What it belongs to: it is decrypted for that and for nothing else.
        """
        bound = f"{_mark(of)}{text}".encode()
        return PREFIX + self._fernet.encrypt(bound).decode() if self._fernet else text

    def decrypt(self, text: str, *, of: str = "", allow_plain: bool = True) -> str:
        """Return the original of what `encrypt` returned.

        Args:
            text: The text.
            of: What it belongs to.
            allow_plain: Whether text that was stored before a key was set is returned as it is.

        Raises:
            EncryptionError: No key is set, no key fits, or the text was modified, or belongs to something else.
        """
        if not text.startswith(PREFIX):
            if self.has_key and not allow_plain:
                raise EncryptionError(PLAIN)
            return text
        if self._fernet is None:
            raise EncryptionError(NO_KEY)
        try:
            found = self._fernet.decrypt(text.removeprefix(PREFIX)).decode()
        except InvalidToken as error:
            raise EncryptionError(WRONG_KEY) from error
        if not found.startswith(_mark(of)):
            raise EncryptionError(MOVED)
        return found.removeprefix(_mark(of))

    def sign(self, checksum: str, facts: str) -> str:
        """Return a signature of a checksum and of facts that belong to it; without a key, the checksum."""
        return self._signature(self._signing[0], checksum, facts) if self._signing else checksum

    def is_signed(self, checksum: str, facts: str, signature: str) -> bool:
        """Return whether `sign` returned this signature, with any of the keys; without a key, compare the checksum."""
        own = [self._signature(key, checksum, facts) for key in self._signing] or [checksum]
        return any(hmac.compare_digest(each.encode(), signature.encode()) for each in own)

    def _signature(self, key: bytes, checksum: str, facts: str) -> str:
        return "hmac:" + hmac.new(key, f"{checksum}\n{facts}".encode(), hashlib.sha256).hexdigest()


def _mark(of: str) -> str:
    """Return the first line of a text that belongs to something; blank if it belongs to nothing."""
    return f"{hashlib.sha256(of.encode()).hexdigest()}\n" if of else ""
