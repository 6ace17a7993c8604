"""Encryption of text at rest with the keys of MILLPOND_ENCRYPTION_KEY.

Several keys are separated by commas: the first encrypts, each decrypts. To rotate, put the new key in front of the old
one and drop the old one when nothing encrypted with it is left.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

PREFIX = "sealed:"  # marks encrypted text; text written before a key was set has none

MALFORMED = "MILLPOND_ENCRYPTION_KEY must be 32 bytes in URL-safe base64; see .env.example"
NO_KEY = "encrypted, but no key is set: set MILLPOND_ENCRYPTION_KEY to the key that encrypted it"
WRONG_KEY = "encrypted with another MILLPOND_ENCRYPTION_KEY, or modified: set the key that encrypted it"


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
        try:
            self._fernet = MultiFernet([Fernet(key.strip()) for key in keys.split(",")]) if keys else None
        except ValueError as error:
            raise EncryptionError(MALFORMED) from error

    @property
    def has_key(self) -> bool:
        """Return whether `encrypt` makes text unreadable."""
        return self._fernet is not None

    def encrypt(self, text: str) -> str:
        """Return the text encrypted and marked with PREFIX, or unchanged without a key."""
        return PREFIX + self._fernet.encrypt(text.encode()).decode() if self._fernet else text

    def decrypt(self, text: str) -> str:
        """Return the original of what `encrypt` returned.

        Raises:
            EncryptionError: No key is set, no key fits, or the text was modified.
        """
        if not text.startswith(PREFIX):
            return text
        if self._fernet is None:
            raise EncryptionError(NO_KEY)
        try:
            return self._fernet.decrypt(text.removeprefix(PREFIX)).decode()
        except InvalidToken as error:
            raise EncryptionError(WRONG_KEY) from error
