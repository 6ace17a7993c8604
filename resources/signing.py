"""Ed25519 signatures with the keys of MILLPOND_LEDGER_KEY; whoever has the public key alone can check them.

Several keys are separated by commas: the first signs, each other one hands over to it. To rotate, put the new key in
front of the old one and drop the old one once the new one has signed.
"""

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

BYTES = 32
MALFORMED = "MILLPOND_LEDGER_KEY must be 32 bytes in URL-safe base64; see .env.example"


class SigningKeyError(Exception):
    """A key is malformed; the text says what to set."""


class Signer:
    """Signs text with the first key; without a key, signatures are blank."""

    def __init__(self, keys: str = "") -> None:
        """Parse keys of 32 bytes in URL-safe base64; blank for none; SigningKeyError if a key has another form."""
        given = [key.strip() for key in keys.split(",")] if keys.strip() else []
        private = [Ed25519PrivateKey.from_private_bytes(_decoded(key)) for key in given]
        self._keys = {_encoded(key.public_key().public_bytes_raw()): key for key in private}

    @property
    def public_key(self) -> str:
        """The public key of the key that signs; blank without a key."""
        return next(iter(self._keys), "")

    @property
    def public_keys(self) -> tuple[str, ...]:
        """The public keys of all keys."""
        return tuple(self._keys)

    def sign(self, text: str, public_key: str = "") -> str:
        """Return a signature by the first key, or by the one with this public key; blank without a key."""
        key = self._keys.get(public_key or self.public_key)
        return _encoded(key.sign(text.encode())) if key else ""


def is_signed(text: str, signature: str, public_key: str) -> bool:
    """Return whether the owner of a public key signed the text."""
    try:
        Ed25519PublicKey.from_public_bytes(_decoded(public_key)).verify(_raw(signature), text.encode())
    except (InvalidSignature, SigningKeyError, ValueError):
        return False
    return True


def _decoded(key: str) -> bytes:
    try:
        raw = _raw(key)
    except ValueError as error:
        raise SigningKeyError(MALFORMED) from error
    if len(raw) != BYTES:
        raise SigningKeyError(MALFORMED)
    return raw


def _raw(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from error


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
