"""Authentication: token-based (OAuth 1), and OAuth 2 bearer tokens issued for a signed assertion.

Source: netsuite.md §3. Every failure is the same 401 INVALID_LOGIN; NetSuite shows the reason in its audit trail only,
the sandbox in the header X-Sandbox-Reason as well.
"""

import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

from resources.clock import Clock
from resources.sandbox.netsuite.errors import invalid_login
from resources.sandbox.netsuite.signature import oauth_parameters, sign
from resources.sandbox.netsuite.store.journal import Journal
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.transport import Request, Response, json_response

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"
SCOPE = "rest_webservices"
CLOCK_TOLERANCE_S = 300
MIN_NONCE_LENGTH = 6
MAX_ASSERTION_S = 3600
ALGORITHMS = ["PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class SignInError(Exception):
    """A failed sign-in; its text is the reason as the audit trail names it."""


class Authenticator:
    """Authenticates requests and issues access tokens."""

    def __init__(self, credentials: Mapping[str, Any], journal: Journal, clock: Clock) -> None:
        self._credentials = credentials
        self._journal = journal
        self._clock = clock

    def authenticate(self, request: Request, switches: NetSuiteSwitches) -> None:
        """Check the Authorization header.

        Raises:
            ApiError: 401 INVALID_LOGIN.
        """
        header = request.headers.get("authorization", "")
        scheme = header.partition(" ")[0].lower()
        if scheme == "bearer":
            self._check_bearer(header.partition(" ")[2].strip(), switches)
        elif scheme == "oauth":
            self._check_signed(request, oauth_parameters(header), switches)
        else:
            raise invalid_login(reason="no Authorization header of a known scheme")

    def _check_bearer(self, token: str, switches: NetSuiteSwitches) -> None:
        if SCOPE in self._journal.token_scope(token, self._clock.now()):
            if switches.token_calls:
                self._journal.count_token_use(token, switches.token_calls)
            return
        realm = self._credentials["account"]
        challenge = f'Bearer realm="{realm}", error="invalid_token", error_description="Invalid login attempt."'
        raise invalid_login({"WWW-Authenticate": challenge}, reason="access token unknown, expired or without scope")

    def _check_signed(self, request: Request, oauth: dict[str, str], switches: NetSuiteSwitches) -> None:
        """Check a signed request; after too many failures the user is locked even with the right signature."""
        user, now = oauth.get("oauth_token", ""), self._clock.now()
        if switches.lock_after and self._journal.is_locked(user, now):
            raise invalid_login(reason="temporary_locked")
        try:
            self._verify(request, oauth, switches)
        except SignInError as error:
            self._journal.sign_in_failed(user, now, lock_after=switches.lock_after, lock_s=switches.lock_s)
            raise invalid_login(reason=str(error)) from error
        self._journal.sign_in_succeeded(user)

    def _verify(self, request: Request, oauth: dict[str, str], switches: NetSuiteSwitches) -> None:
        known = self._credentials
        if not switches.tba_allowed:
            raise SignInError("permission_denied")
        if oauth.get("realm") != known["account"]:
            raise SignInError("realm: the account id, upper case, with an underscore")
        if oauth.get("oauth_signature_method") != "HMAC-SHA256":
            raise SignInError("UnknownAlgorithm")
        if oauth.get("oauth_version", "1.0") != "1.0":
            raise SignInError("VersionRejected")
        if oauth.get("oauth_consumer_key") != known["consumer_key"]:
            raise SignInError("consumer_key_unknown")
        if oauth.get("oauth_token") != known["token_id"]:
            raise SignInError("token_rejected")
        expected = sign(request.method, request.url, oauth, known["consumer_secret"], known["token_secret"])
        if not hmac.compare_digest(expected, oauth.get("oauth_signature", "")):
            raise SignInError("InvalidSignature")
        self._check_freshness(oauth)

    def _check_freshness(self, oauth: dict[str, str]) -> None:
        timestamp, nonce, now = oauth.get("oauth_timestamp", ""), oauth.get("oauth_nonce", ""), self._clock.now()
        if not timestamp.isdigit() or abs(int(timestamp) - now.timestamp()) > CLOCK_TOLERANCE_S:
            raise SignInError("InvalidTimestamp")
        if len(nonce) < MIN_NONCE_LENGTH or not self._journal.use_nonce(
            f"{timestamp}:{nonce}", now, 3 * CLOCK_TOLERANCE_S
        ):
            raise SignInError("NonceUsed")

    def issue_token(self, request: Request, switches: NetSuiteSwitches) -> Response:
        """Serve the token endpoint: exchange a signed assertion for an access token."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        if request.method != "POST" or form.get("grant_type") != "client_credentials":
            return json_response({"error": "invalid_request"}, 400)
        if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
            return json_response({"error": "invalid_request"}, 400)
        try:
            scope = self._assertion_scope(form["client_assertion"], request.url)
        except (SignInError, jwt.PyJWTError) as error:
            reason = str(error) if isinstance(error, SignInError) else type(error).__name__
            return json_response({"error": "invalid_grant"}, 400, headers={"X-Sandbox-Reason": reason})
        token = self._journal.issue_token(scope, self._clock.now(), switches.token_lifetime_s)
        lifetime: int | str = switches.token_lifetime_s
        expires_in = str(lifetime) if switches.expires_in_text else lifetime
        return json_response({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"})

    def _assertion_scope(self, assertion: str, url: str) -> list[str]:
        """Return the scope of a signed assertion.

        Raises:
            SignInError: A claim is wrong.
            jwt.PyJWTError: The signature is wrong, or it is not a JWT.
        """
        if jwt.get_unverified_header(assertion).get("kid") != self._credentials["certificate_id"]:
            raise SignInError("kid")
        # times and audience are checked below, with the account's clock and URLs
        unchecked = dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf", "verify_aud"), False)
        options: Any = {**unchecked, "require": ["exp", "iat"]}
        claims = jwt.decode(assertion, self._credentials["public_key"], algorithms=ALGORITHMS, options=options)
        if claims.get("iss") != self._credentials["client_id"]:
            raise SignInError("iss")
        if not self._is_token_url(claims.get("aud"), url):
            raise SignInError("aud")
        issued_at, expires_at, now = claims["iat"], claims["exp"], self._clock.now().timestamp()
        if not issued_at - CLOCK_TOLERANCE_S <= now < expires_at or expires_at - issued_at > MAX_ASSERTION_S:
            raise SignInError("exp: expired, or more than 60 minutes after iat")
        return _scopes(claims.get("scope"))

    def _is_token_url(self, audience: Any, url: str) -> bool:
        """Return whether the audience is the token URL of one of the account's hosts, or the requested URL."""
        account = str(self._credentials["account"]).lower().replace("_", "-")
        urls = {f"https://{account}.{kind}.api.netsuite.com{TOKEN_PATH}" for kind in ("suitetalk", "restlets")}
        requested = urlsplit(url)
        urls.add(f"{requested.scheme}://{requested.netloc}{requested.path}")
        return bool(urls & set(audience if isinstance(audience, list) else [audience]))


def _scopes(claim: Any) -> list[str]:
    """Read the scope claim; the documentation shows an array, a comma-separated list and a single word."""
    scopes = claim if isinstance(claim, list) else str(claim or "").replace(",", " ").split()
    if SCOPE not in scopes:
        raise SignInError("scope")
    return [str(each) for each in scopes]
