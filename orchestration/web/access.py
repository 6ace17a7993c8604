"""The identity of a request: by the sign-in proxy, by the sign-in token, or by a session.

headers, address of the client  ->  Identities.of()  ->  Identity as of now, or None
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request

from orchestration.web.client_address import Networks
from orchestration.web.identity import Identity, Role
from orchestration.web.sessions import Sessions, name_in
from orchestration.web.sign_in_proxy import SignInProxy
from orchestration.web.users import Users

COOKIE = "millpond"


@dataclass(frozen=True)
class Access:
    """The credentials of the UI, and the names of this server.

    Attributes:
        hosts: Host names, without port.
        reports: Folders of run reports, one per account.
        token_role: Role of whoever has the token; None: an approver, until there are users or a sign-in proxy.
        read_only: Whether everyone is a viewer.
        reverse_proxies: Addresses of proxies that name the client, whose guesses are limited.
    """

    token: str
    hosts: frozenset[str]
    reports: Sequence[Path]
    users: Users
    proxy: SignInProxy | None = None
    token_role: Role | None = None
    read_only: bool = False
    reverse_proxies: Networks = ()

    @property
    def knows_people(self) -> bool:
        """True if there are users or a sign-in proxy; then the token is off unless it has a role."""
        return self.proxy is not None or self.users.exist

    @property
    def role_of_token(self) -> Role | None:
        """The role of whoever has the token as of now; None: it is off."""
        return self.token_role or (None if self.knows_people else Role.APPROVER)


class Identities:
    """Recognizes who makes a request; users and roles are those of this moment."""

    def __init__(self, access: Access, sessions: Sessions) -> None:
        self._access, self._sessions = access, sessions

    def of(self, headers: Headers, client: str) -> Identity | None:
        """Return the identity; None if there is none, or if it was removed.

        Raises:
            ProxyError: A header of the sign-in proxy cannot be believed.
            UsersError: The users cannot be read.
        """
        found = self.from_proxy(headers, client) or self._from_token(headers) or self._from_session(headers)
        return replace(found, role=Role.VIEWER) if found and self._access.read_only else found

    def from_proxy(self, headers: Headers, client: str) -> Identity | None:
        """Return whom the sign-in proxy names.

        Raises:
            ProxyError: The header cannot be believed.
            UsersError: The users cannot be read.
        """
        proxy = self._access.proxy
        return proxy.identity(headers, client, self._access.users) if proxy else None

    def has_token(self, headers: Headers) -> bool:
        """Return whether a program sent the token, and signing in by token is on."""
        return self.is_token(headers.get("authorization", "").removeprefix("Bearer "))

    def is_token(self, given: str) -> bool:
        """Return whether a text is the token, and it is on."""
        token = self._access.token
        is_equal = hmac.compare_digest(given.encode(errors="replace"), token.encode())
        return is_equal and bool(token) and self._access.role_of_token is not None

    def _from_token(self, headers: Headers) -> Identity | None:
        role = self._access.role_of_token
        return Identity("", role) if role and self.has_token(headers) else None

    def end_session(self, headers: Headers) -> None:
        """End the session of a request, if it has a valid one; UsersError if the users cannot be read."""
        if self._from_session(headers):
            self._sessions.end(_session_in(headers))

    def _from_session(self, headers: Headers) -> Identity | None:
        session = _session_in(headers)
        name = name_in(session)
        if name is None:
            return None
        user = self._access.users.find(name)
        role = user.role if user else self._access.role_of_token if not name else None
        credential = user.credential if user else self._access.token
        is_valid = role is not None and self._sessions.is_valid("session", session, credential)
        return Identity(name, role) if role and is_valid else None


def _session_in(headers: Headers) -> str:
    return Request({"type": "http", "headers": headers.raw}).cookies.get(COOKIE, "")
