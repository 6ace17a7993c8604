"""Signing in: company, user and password; a fixed access token; or OAuth 2 with a refresh token that rotates.

Source: suiteprojects_api.md §1.2 and §3. A person authorizes once (`millpond login suiteprojects`); each refresh then
hands out a new refresh token and ends the old one: see resources/suiteprojects/tokens.py for how it is kept.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlencode

from resources.clock import Clock
from resources.errors import ContractError, CredentialsError, RecordRejectedError, UnreachableError
from resources.http import HttpClient
from resources.suiteprojects.tokens import LOGIN, TokenFile, Tokens
from resources.suiteprojects.xml import Element, command, text_element

AUTHORIZE_PATH = "/login/oauth2/v1/authorize"
SCOPE = "xml"
DAY_S = 86_400.0
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

    def days_left(self) -> float | None:
        """Days until a person must sign in again, where that is known."""
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

    def days_left(self) -> float | None:
        """Nobody tells."""
        return None


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

    def days_left(self) -> float | None:
        """Nobody tells."""
        return None


def _token_login(token: str) -> Element:
    return command("Login", None, text_element("access_token", token))


@dataclass(frozen=True)
class Application:
    """The registered application."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str = ""

    def authorize_url(self, base_url: str, state: str) -> str:
        """Where a person agrees, in the browser."""
        asked = {"response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri}
        return f"{base_url}{AUTHORIZE_PATH}?{urlencode({**asked, 'scope': SCOPE, 'state': state})}"

    def exchange(self, http: HttpClient, clock: Clock, **grant: str) -> Tokens:
        """Get tokens for a code or a refresh token.

        Raises:
            RecordRejectedError: The code or the token is used, expired or wrong.
            CredentialsError: The application's id or secret was refused.
            ContractError: The answer holds no tokens.
        """
        form = {**grant, **({"redirect_uri": self.redirect_uri} if self.redirect_uri else {})}
        client = (self.client_id, self.client_secret)
        operation = grant["grant_type"].replace("_", " ")
        response = http.send("POST", TOKEN_PATH, operation, safe_to_repeat=False, data=form, auth=client)
        try:
            issued: dict[str, Any] = response.json()
            now = clock.now().timestamp()
            return Tokens(
                access_token=str(issued["access_token"]),
                refresh_token=str(issued.get("refresh_token") or grant.get("refresh_token") or ""),
                expires_at=now + float(issued.get("expires_in", 0)),
                refreshed_at=now,
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = "the answer holds no tokens; is SUITEPROJECTS_BASE_URL the account's own domain?"
            raise ContractError("suiteprojects", operation, reason) from error


class RefreshingSignIn:
    """OAuth 2: access tokens by refresh token, kept in a file."""

    uses_token = True

    def __init__(
        self,
        http: HttpClient,
        application: Application,
        file: TokenFile,
        *,
        clock: Clock,
        refresh_token: str = "",
        refresh_days: float = 0,
    ) -> None:
        """Sign in by the tokens of a file.

        Args:
            door: The way to the service.
            application: Who asks.
            file: Where the tokens are kept.
            clock: Time.
            refresh_token: A first one from elsewhere; the file's is used once there is a file.
            refresh_days: Days that a refresh token lives, as set in the account; 0: not known.
        """
        self._http = http
        self._application = application
        self._file = file
        self._clock = clock
        self._first = refresh_token
        self._refresh_days = refresh_days
        self._refused: str | None = None

    def login(self) -> Element:
        """A token that is good for a while."""
        with self._file.alone():
            kept = self._file.read()
            soon = self._clock.now().timestamp() + EARLY_S
            if kept.access_token in {"", self._refused} or kept.expires_at <= soon:
                kept = self._refresh(kept)
            return _token_login(kept.access_token)

    def renew(self) -> bool:
        """Forget the refused token; the next login gets another one."""
        self._refused = self._file.read().access_token
        return True

    def days_left(self) -> float | None:
        """Days until the refresh token ends, by the life that the settings tell."""
        kept = self._file.read()
        if not self._refresh_days or not kept.refreshed_at:
            return None
        return self._refresh_days - (self._clock.now().timestamp() - kept.refreshed_at) / DAY_S

    def _refresh(self, kept: Tokens) -> Tokens:
        """Spend the refresh token and keep the next one before anything uses it."""
        spent = kept.refresh_token or self._first
        if not spent:
            raise CredentialsError("suiteprojects", "sign in", f"nobody has signed in yet: {LOGIN}")
        before = replace(kept, refresh_token=spent)
        if not kept.spending_since:
            self._file.begin_spending(before, self._clock.now().timestamp())
        try:
            fresh = self._application.exchange(self._http, self._clock, grant_type="refresh_token", refresh_token=spent)
        except RecordRejectedError as error:
            raise CredentialsError("suiteprojects", "refresh token", _why_lost(kept)) from error
        except (CredentialsError, UnreachableError):
            self._file.keep(replace(before, spending_since=kept.spending_since))  # it was certainly not spent
            raise
        self._file.keep(fresh)
        return fresh


def _why_lost(kept: Tokens) -> str:
    """What to tell a person whose refresh token is refused."""
    if kept.spending_since:
        when = datetime.fromtimestamp(kept.spending_since, UTC)
        why = f"a run ended at {when:%Y-%m-%d %H:%M} UTC while it renewed it, before the next one was saved"
    else:
        why = "it is used, revoked or expired (two installations must not share one authorization)"
    return f"the refresh token is lost: {why}; authorize the application again: {LOGIN}"
