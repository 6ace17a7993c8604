"""The tokens of one authorization, in a file that only its owner may read.

A new refresh token ends the old one, so the new one is on disk before anything uses it: written beside, synced,
renamed, the folder synced as well. One process at a time spends it. Before it is spent the file says so, so that a
process that died over it can be told from a token that merely grew old.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Lock

from cryptography.fernet import Fernet, InvalidToken

from resources.errors import CredentialsError

SYSTEM = "suiteprojects"
LOGIN = "run `millpond login suiteprojects`"
SEALED = "sealed:"


@dataclass(frozen=True)
class Tokens:
    """What the service gave out last; times are seconds since 1970."""

    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_at: float = 0.0
    refreshed_at: float = 0.0
    spending_since: float = 0.0  # the refresh token was about to be spent, and no answer was kept since


class TokenFile:
    """Reads and replaces the file."""

    def __init__(self, path: Path, seal_key: str = "") -> None:
        """Keep tokens here.

        Args:
            path: The file; its folder is made when it is missing.
            seal_key: 32 bytes in URL-safe base64; the file is unreadable without them. Blank: readable.

        Raises:
            CredentialsError: The key has another form.
        """
        self.path = path
        self._threads = Lock()
        try:
            self._fernet = Fernet(seal_key) if seal_key else None
        except ValueError as error:
            mend = "MILLPOND_SEAL_KEY must be 32 bytes in URL-safe base64; see .env.example"
            raise CredentialsError(SYSTEM, "read tokens", mend) from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other thread or process reads or spends meanwhile."""
        with self._threads:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)

    def read(self) -> Tokens:
        """The tokens; blank ones when there is no file yet.

        Raises:
            CredentialsError: The file cannot be read, or was sealed with another key.
        """
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return Tokens()
        except OSError as error:
            raise self._unreadable(error.strerror or "it cannot be read") from error
        try:
            return Tokens(**json.loads(self._opened(text)))
        except InvalidToken as error:
            raise self._unreadable("it was sealed with another MILLPOND_SEAL_KEY: set that one") from error
        except (ValueError, TypeError) as error:
            raise self._unreadable("it is damaged") from error

    def _opened(self, text: str) -> str:
        if not text.startswith(SEALED):
            return text
        if self._fernet is None:
            raise self._unreadable("it is sealed: set MILLPOND_SEAL_KEY to the key that sealed it")
        return self._fernet.decrypt(text.removeprefix(SEALED)).decode()

    def _unreadable(self, why: str) -> CredentialsError:
        return CredentialsError(SYSTEM, "read tokens", f"{self.path}: {why}; or {LOGIN}")

    def begin_spending(self, kept: Tokens, now: float) -> None:
        """Say on disk that the refresh token is about to be spent."""
        self.keep(replace(kept, spending_since=now))

    def keep(self, kept: Tokens) -> None:
        """Replace the file; when this returns, a power cut does not bring the old one back."""
        text = json.dumps(asdict(kept))
        if self._fernet:
            text = SEALED + self._fernet.encrypt(text.encode()).decode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
