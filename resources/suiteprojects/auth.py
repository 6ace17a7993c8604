"""Signing in: company, user and password; a fixed access token; or OAuth 2 with a refresh token that rotates.

Source: suiteprojects_api.md §1.2 and §3. Each refresh hands out a new refresh token and ends the old one, so the new
one is on disk, private, before it is used; a file lock keeps two processes from spending the same one.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from resources.clock import Clock
from resources.errors import CredentialsError, RecordRejectedError
from resources.http import HttpDoor
from resources.suiteprojects.xml import Element, command, text_element

TOKEN_PATH = "/login/oauth2/v1/token"  # noqa: S105 an address
EARLY_S = 60.0  # a token is renewed this long before it ends: a request may take a while


class SignIn(Protocol):
    """What a request says about who sends it."""

    uses_token: bool

    def login(self) -> Element:
        """The `Login` element of the next request."""
        ...

    def renew(self) -> bool:
        """Get a fresh token after a refusal; False when there is no way to."""
        ...


@dataclass(frozen=True)
class PasswordSignIn:
    """Company, user and password."""

    company: str
    user: str
    password: str = field(repr=False)
    uses_token = False

    def login(self) -> Element:
        """The three of them."""
        parts = {"company": self.company, "user": self.user, "password": self.password}
        return command("Login", None, *(text_element(name, value) for name, value in parts.items()))

    def renew(self) -> bool:
        """A refused password stays refused."""
        return False


@dataclass(frozen=True)
class TokenSignIn:
    """An access token that somebody else keeps fresh."""

    access_token: str = field(repr=False)
    uses_token = True

    def login(self) -> Element:
        """The token."""
        return _token_login(self.access_token)

    def renew(self) -> bool:
        """There is nothing to renew it with."""
        return False


def _token_login(token: str) -> Element:
    return command("Login", None, text_element("access_token", token))


class RefreshingSignIn:
    """OAuth 2: access tokens by refresh token, kept in a file that only its owner may read."""

    uses_token = True

    def __init__(
        self,
        door: HttpDoor,
        *,
        client_id: str,
        client_secret: str,
        token_file: Path,
        clock: Clock,
        refresh_token: str = "",
        redirect_uri: str = "",
    ) -> None:
        """Sign in by the tokens of a file.

        Args:
            door: The way to the service.
            client_id: The registered application.
            client_secret: Its secret.
            token_file: Holds access_token, refresh_token, expires_at; made when it is missing.
            clock: Time.
            refresh_token: The first one, from the authorization; the file's is used once there is a file.
            redirect_uri: As registered, when the service wants it repeated.
        """
        self._door = door
        self._client = (client_id, client_secret)
        self._file = token_file
        self._clock = clock
        self._first = refresh_token
        self._redirect_uri = redirect_uri
        self._threads = Lock()
        self._refused: str | None = None

    def login(self) -> Element:
        """A token that is good for a while."""
        with self._alone():
            kept = self._kept()
            soon = self._clock.now().timestamp() + EARLY_S
            if kept.get("access_token") in {None, self._refused} or kept.get("expires_at", 0) <= soon:
                kept = self._refresh(kept.get("refresh_token") or self._first)
            return _token_login(kept["access_token"])

    def renew(self) -> bool:
        """Forget the refused token; the next login gets another one."""
        self._refused = self._kept().get("access_token")
        return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._threads:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(f"{self._file}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)

    def _kept(self) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        return kept

    def _refresh(self, refresh_token: str) -> dict[str, Any]:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        if self._redirect_uri:
            form["redirect_uri"] = self._redirect_uri
        try:
            response = self._door.send(
                "POST", TOKEN_PATH, "refresh token", safe_to_repeat=False, data=form, auth=self._client
            )
        except RecordRejectedError as error:
            reason = "the refresh token is used or expired: authorize the application again"
            raise CredentialsError("suiteprojects", "refresh token", reason) from error
        issued = response.json()
        kept = {
            "access_token": issued["access_token"],
            "refresh_token": issued.get("refresh_token", refresh_token),
            "expires_at": self._clock.now().timestamp() + float(issued.get("expires_in", 0)),
        }
        self._keep(kept)
        return kept

    def _keep(self, kept: dict[str, Any]) -> None:
        partial = self._file.with_name(f".{self._file.name}.{os.getpid()}.tmp")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._file)
