"""Sign in by company, user and password; by a fixed access token; or by OAuth 2 with a rotating refresh token.

Source: suiteprojects_api.md §1.2 and §3. A person authorizes once (`millpond login suiteprojects`); each refresh then
issues a new refresh token and invalidates the old one: see resources/suiteprojects/tokens.py.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx

from resources.clock import Clock
from resources.errors import (
    BusyError,
    ContractError,
    CredentialsError,
    IntegrationError,
    RateLimitedError,
    RecordRejectedError,
    RequestRejectedError,
    UnreachableError,
)
from resources.http import HttpClient
from resources.json_body import load_json
from resources.redaction import know
from resources.scalars import as_number, as_text, required_text
from resources.suiteprojects.tokens import LOGIN, TokenFile, Tokens
from resources.suiteprojects.xml import Element, command, text_element

AUTHORIZE_PATH = "/login/oauth2/v1/authorize"
SCOPE = "xml"
DAY_S = 86_400.0
TOKEN_PATH = "/login/oauth2/v1/token"  # noqa: S105 - a path
UNKNOWN_LIFE_S = 600.0  # of an access token; one that expires earlier is rejected and then renewed
EARLY_S = 60.0  # a token is renewed this long before it expires: a request may take a while
LOST = "invalid_grant"  # the code or refresh token was used, was revoked or has expired (RFC 6749 §5.2)
WRONG = frozenset(
    {"invalid_client", "invalid_request", "invalid_scope", "unauthorized_client", "unsupported_grant_type"}
)
FIX = "compare SUITEPROJECTS_CLIENT_ID, SUITEPROJECTS_CLIENT_SECRET and SUITEPROJECTS_REDIRECT_URI with the application"


def token_error(response: httpx.Response) -> IntegrationError | None:
    """Return the error of a rejected token request by the service's word, whatever its status; None without one."""
    if response.request.url.path != TOKEN_PATH:
        return None
    try:
        body = load_json(response.content)
    except ValueError:
        return None
    word = str(body.get("error")) if isinstance(body, dict) else ""
    reason = f"HTTP {response.status_code} {word}"
    if word == LOST:
        return RecordRejectedError("suiteprojects", "sign in", reason)
    return CredentialsError("suiteprojects", "sign in", f"{reason}: {FIX}") if word in WRONG else None


class SignIn(ABC):
    """Credentials of a request."""

    uses_token = True

    @abstractmethod
    def login(self) -> Element:
        """Return the `Login` element of the next request."""

    def renew(self) -> bool:
        """Prepare a new token after a rejected one; return False if that is not possible."""
        return False

    def days_left(self) -> float | None:
        """Return the days until a person must sign in again; None if unknown."""
        return None

    @property
    def company_name(self) -> str:
        """The company; blank where the sign-in does not name it."""
        return ""


@dataclass(frozen=True)
class PasswordSignIn(SignIn):
    """Company, user and password."""

    company: str
    user: str
    password: str = field(repr=False)
    uses_token = False

    @property
    def company_name(self) -> str:
        """The company."""
        return self.company

    def login(self) -> Element:
        """Return all three."""
        parts = {"company": self.company, "user": self.user, "password": self.password}
        return command("Login", None, *(text_element(name, value) for name, value in parts.items()))


@dataclass(frozen=True)
class TokenSignIn(SignIn):
    """An access token that is renewed outside of Millpond."""

    access_token: str = field(repr=False)

    def __post_init__(self) -> None:
        know("SUITEPROJECTS_ACCESS_TOKEN", self.access_token)

    def login(self) -> Element:
        """Return the token."""
        return _token_login(self.access_token)


def _token_login(token: str) -> Element:
    return command("Login", None, text_element("access_token", token))


@dataclass(frozen=True)
class Application:
    """The registered OAuth 2 application."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str = ""

    def authorize_url(self, base_url: str, state: str) -> str:
        """Return the page where a person agrees, in the browser."""
        query = {"response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri}
        return f"{base_url}{AUTHORIZE_PATH}?{urlencode({**query, 'scope': SCOPE, 'state': state})}"

    def exchange(self, http: HttpClient, clock: Clock, **grant: str) -> Tokens:
        """Exchange a code or a refresh token for tokens.

        Raises:
            RecordRejectedError: The code or token was used, expired or is wrong.
            CredentialsError: The application's id or secret was rejected.
            ContractError: The response contains no tokens.
        """
        form = {**grant, **({"redirect_uri": self.redirect_uri} if self.redirect_uri else {})}
        client = (self.client_id, self.client_secret)
        operation = grant["grant_type"].replace("_", " ")
        response = http.send("POST", TOKEN_PATH, operation, safe_to_repeat=False, data=form, auth=client)
        try:
            issued: dict[str, Any] = load_json(response.content)
            now = clock.now().timestamp()
            # whatever else is unreadable: the refresh token that was sent is spent, so the next one must be saved
            return Tokens(
                access_token=required_text(issued["access_token"]),
                refresh_token=as_text(issued.get("refresh_token")) or grant.get("refresh_token") or "",
                expires_at=now + min(max(as_number(issued.get("expires_in")) or UNKNOWN_LIFE_S, 0.0), DAY_S),
                refreshed_at=now,
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = "the response contains no tokens; check that SUITEPROJECTS_BASE_URL is the account's own domain"
            raise ContractError("suiteprojects", operation, reason) from error


class RefreshingSignIn(SignIn):
    """OAuth 2: access tokens by refresh token, stored in a file."""

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
            http: Calls the service.
            application: The registered application.
            file: Stores the tokens.
            clock: Time.
            refresh_token: A first one obtained elsewhere; ignored once the file exists.
            refresh_days: Lifetime of a refresh token in days, as set in the account; 0: unknown.
        """
        self._http = http
        self._application = application
        self._file = file
        self._clock = clock
        self._first = refresh_token
        self._refresh_days = refresh_days
        self._rejected: str | None = None

    def login(self) -> Element:
        """Return a token that is valid for a while, renewed if necessary."""
        with self._file.locked():
            tokens = self._file.read()
            soon = self._clock.now().timestamp() + EARLY_S
            if tokens.access_token in {"", self._rejected} or tokens.expires_at <= soon:
                tokens = self._refresh(tokens)
            return _token_login(tokens.access_token)

    def renew(self) -> bool:
        """Mark the current token as rejected, so that the next login renews it."""
        self._rejected = self._file.read().access_token
        return True

    def days_left(self) -> float | None:
        """Return the days until the refresh token expires, by the configured lifetime."""
        tokens = self._file.read()
        if not self._refresh_days or not tokens.refreshed_at:
            return None
        return self._refresh_days - (self._clock.now().timestamp() - tokens.refreshed_at) / DAY_S

    def _refresh(self, tokens: Tokens) -> Tokens:
        """Exchange the refresh token and save the next one before anything uses it."""
        spent = tokens.refresh_token or self._first
        if not spent:
            raise CredentialsError("suiteprojects", "sign in", f"not signed in yet: {LOGIN}")
        before = replace(tokens, refresh_token=spent)
        if not tokens.spending_since:
            self._file.begin_spending(before, self._clock.now().timestamp())
        try:
            fresh = self._application.exchange(self._http, self._clock, grant_type="refresh_token", refresh_token=spent)
        except RecordRejectedError as error:
            raise CredentialsError("suiteprojects", "refresh token", _why_lost(tokens)) from error
        except (RequestRejectedError, RateLimitedError, BusyError, UnreachableError):
            self._file.save(replace(before, spending_since=tokens.spending_since))  # certainly not spent
            raise
        self._file.save(fresh)
        return fresh


def _why_lost(tokens: Tokens) -> str:
    """Return reason and fix of a rejected refresh token."""
    if tokens.spending_since:
        when = datetime.fromtimestamp(tokens.spending_since, UTC)
        why = f"a run that renewed it ended at {when:%Y-%m-%d %H:%M} UTC before the next one was saved"
    else:
        why = "it was used, revoked or has expired (two installations must not share one authorization)"
    return f"the refresh token is lost: {why}; authorize the application again: {LOGIN}"
