"""OAuth tokens of one authorization, in a file that only its owner can read.

The service invalidates a refresh token when it issues the next one, so the next one is on disk before anything uses it,
and one process at a time refreshes. Before a refresh token is sent, the file records that: after a crash in between, a
lost token can be distinguished from an expired one.

The file belongs to the address and application that issued its tokens: a home that is pointed at another account sends
it none of them, and says so.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock

from resources.atomic_file import write_atomically
from resources.encryption import Cipher, EncryptionError
from resources.errors import CredentialsError
from resources.redaction import know

SYSTEM = "suiteprojects"
LOGIN = "run `millpond login suiteprojects`"
OWNER_ONLY = 0o600


@dataclass(frozen=True)
class Tokens:
    """The tokens that the service issued last; times are seconds since 1970."""

    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_at: float = 0.0
    refreshed_at: float = 0.0
    spending_since: float = 0.0  # when the refresh token was sent, as long as no response is saved
    issued_by: str = ""  # address and application; blank in a file of an earlier version

    def __post_init__(self) -> None:
        know("SUITEPROJECTS_ACCESS_TOKEN", self.access_token)
        know("refresh token of suiteprojects", self.refresh_token)


class TokenFile:
    """Reads and replaces the file."""

    def __init__(self, path: Path, encryption_key: str = "", issuer: str = "") -> None:
        """Keep tokens in a file.

        Args:
            path: The file.
            encryption_key: The keys that encrypt it (`resources/encryption.py`); blank for plain text.
            issuer: Address and application whose tokens they are, see `issuer_of`; blank if nothing is sent.

        Raises:
            CredentialsError: A key is malformed.
        """
        self.path, self._issuer = path, issuer
        try:
            self._cipher = Cipher(encryption_key)
        except EncryptionError as error:
            raise CredentialsError(SYSTEM, "read tokens", str(error)) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other threads and processes from refreshing meanwhile."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock", mode=OWNER_ONLY, fallback_to_soft=False):
            yield

    def read(self) -> Tokens:
        """Return the tokens, blank ones without a file.

        Raises:
            CredentialsError: The file cannot be read or decrypted, or its tokens are another account's.
        """
        try:
            tokens = Tokens(**json.loads(self._cipher.decrypt(self.path.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            return Tokens()
        except OSError as error:
            raise self._unreadable(error.strerror or "it cannot be read") from error
        except EncryptionError as error:
            raise self._unreadable(str(error)) from error
        except (ValueError, TypeError) as error:
            raise self._unreadable("it is damaged") from error
        if tokens.issued_by and self._issuer not in {"", tokens.issued_by}:
            why = f"its tokens are those of {tokens.issued_by}, but the settings name {self._issuer}"
            raise self._unreadable(f"{why}: correct them, or remove the file")
        return tokens

    def _unreadable(self, why: str) -> CredentialsError:
        return CredentialsError(SYSTEM, "read tokens", f"{self.path}: {why}; or {LOGIN}")

    def begin_spending(self, tokens: Tokens, now: float) -> None:
        """Record that the refresh token is about to be sent."""
        self.save(replace(tokens, spending_since=now))

    def save(self, tokens: Tokens) -> None:
        """Replace the file; after this returns, a power cut does not bring the old one back."""
        text = json.dumps(asdict(replace(tokens, issued_by=self._issuer or tokens.issued_by)))
        write_atomically(self.path, self._cipher.encrypt(text), mode=OWNER_ONLY)


def issuer_of(base_url: str, client_id: str) -> str:
    """Return who issues tokens: the account's host, with a port unless it is the scheme's own, and the application."""
    address = urlsplit(base_url)
    own = {"https": 443, "http": 80}.get(address.scheme.lower())
    port = f":{address.port}" if address.port not in {None, own} else ""
    return f"{address.hostname or ''}{port} (client {client_id})"
