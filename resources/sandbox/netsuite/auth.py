"""Who calls: token-based sign-in (OAuth 1) and OAuth 2 bearer tokens got with a signed assertion.

Source: netsuite.md §3. Every failure is the same 401 INVALID_LOGIN; its cause shows only in NetSuite's audit trail
(here: in the header X-Sandbox-Reason).
"""

import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

from resources.clock import Clock
from resources.sandbox.netsuite.refusal import invalid_login
from resources.sandbox.netsuite.signature import parameters_of, sign
from resources.sandbox.netsuite.store.journal import Journal
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.transport import Answer, Call, json_answer

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"
SCOPE = "rest_webservices"
CLOCK_SLACK_S = 300
SHORTEST_NONCE = 6
LONGEST_ASSERTION_S = 3600
ALGORITHMS = ["PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class FailedSignInError(Exception):
    """The cause, as the audit trail names it."""


class Door:
    """Lets callers in, or not."""

    def __init__(self, credentials: Mapping[str, Any], journal: Journal, clock: Clock) -> None:
        self._credentials = credentials
        self._journal = journal
        self._clock = clock

    def check(self, call: Call, switches: NetSuiteSwitches) -> None:
        """Refuse a call that is not signed in.

        Raises:
            Refusal: 401 INVALID_LOGIN.
        """
        header = call.headers.get("authorization", "")
        scheme = header.partition(" ")[0].lower()
        if scheme == "bearer":
            self._check_bearer(header.partition(" ")[2].strip(), switches)
        elif scheme == "oauth":
            self._check_signed(call, parameters_of(header), switches)
        else:
            raise invalid_login(reason="no Authorization header that NetSuite knows")

    def _check_bearer(self, token: str, switches: NetSuiteSwitches) -> None:
        if SCOPE in self._journal.token_scope(token, self._clock.now()):
            if switches.token_calls:
                self._journal.wear_token(token, switches.token_calls)
            return
        realm = self._credentials["account"]
        challenge = f'Bearer realm="{realm}", error="invalid_token", error_description="Invalid login attempt."'
        raise invalid_login({"WWW-Authenticate": challenge}, reason="unknown, expired or too narrow access token")

    def _check_signed(self, call: Call, oauth: dict[str, str], switches: NetSuiteSwitches) -> None:
        """A user whose sign-in failed too often waits, even with the right signature."""
        user, now = oauth.get("oauth_token", ""), self._clock.now()
        if switches.lock_after and self._journal.is_locked(user, now):
            raise invalid_login(reason="temporary_locked")
        try:
            self._verify(call, oauth, switches)
        except FailedSignInError as cause:
            self._journal.failed(user, now, lock_after=switches.lock_after, lock_s=switches.lock_s)
            raise invalid_login(reason=str(cause)) from cause
        self._journal.succeeded(user)

    def _verify(self, call: Call, oauth: dict[str, str], switches: NetSuiteSwitches) -> None:
        known = self._credentials
        if not switches.tba_allowed:
            raise FailedSignInError("permission_denied")
        if oauth.get("realm") != known["account"]:
            raise FailedSignInError("realm: the account id, upper case, with an underscore")
        if oauth.get("oauth_signature_method") != "HMAC-SHA256":
            raise FailedSignInError("UnknownAlgorithm")
        if oauth.get("oauth_version", "1.0") != "1.0":
            raise FailedSignInError("VersionRejected")
        if oauth.get("oauth_consumer_key") != known["consumer_key"]:
            raise FailedSignInError("consumer_key_unknown")
        if oauth.get("oauth_token") != known["token_id"]:
            raise FailedSignInError("token_rejected")
        expected = sign(call.method, call.url, oauth, known["consumer_secret"], known["token_secret"])
        if not hmac.compare_digest(expected, oauth.get("oauth_signature", "")):
            raise FailedSignInError("InvalidSignature")
        self._check_freshness(oauth)

    def _check_freshness(self, oauth: dict[str, str]) -> None:
        stamp, nonce, now = oauth.get("oauth_timestamp", ""), oauth.get("oauth_nonce", ""), self._clock.now()
        if not stamp.isdigit() or abs(int(stamp) - now.timestamp()) > CLOCK_SLACK_S:
            raise FailedSignInError("InvalidTimestamp")
        if len(nonce) < SHORTEST_NONCE or not self._journal.use_nonce(f"{stamp}:{nonce}", now, 3 * CLOCK_SLACK_S):
            raise FailedSignInError("NonceUsed")

    def issue(self, call: Call, switches: NetSuiteSwitches) -> Answer:
        """The token endpoint: an assertion in, an access token out."""
        form = {name: values[0] for name, values in parse_qs(call.body.decode("utf-8", "replace")).items()}
        if call.method != "POST" or form.get("grant_type") != "client_credentials":
            return json_answer({"error": "invalid_request"}, 400)
        if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
            return json_answer({"error": "invalid_request"}, 400)
        try:
            scope = self._read_assertion(form["client_assertion"], call.url)
        except (FailedSignInError, jwt.PyJWTError) as cause:
            reason = str(cause) if isinstance(cause, FailedSignInError) else type(cause).__name__
            return json_answer({"error": "invalid_grant"}, 400, headers={"X-Sandbox-Reason": reason})
        token = self._journal.issue_token(scope, self._clock.now(), switches.token_lifetime_s)
        lifetime: int | str = switches.token_lifetime_s
        expires_in = str(lifetime) if switches.expires_in_text else lifetime
        return json_answer({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"})

    def _read_assertion(self, assertion: str, url: str) -> list[str]:
        """The scope that a signed assertion asks for.

        Raises:
            FailedSignInError: A claim is wrong.
            jwt.PyJWTError: The signature is wrong, or it is no JWT.
        """
        if jwt.get_unverified_header(assertion).get("kid") != self._credentials["certificate_id"]:
            raise FailedSignInError("kid")
        # times and audience are judged below, by the account's clock and addresses
        unchecked = dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf", "verify_aud"), False)
        options: Any = {**unchecked, "require": ["exp", "iat"]}
        key = self._credentials["public_key"]
        claims = jwt.decode(assertion, key, algorithms=ALGORITHMS, options=options)
        if claims.get("iss") != self._credentials["client_id"]:
            raise FailedSignInError("iss")
        if not self._is_our_address(claims.get("aud"), url):
            raise FailedSignInError("aud")
        begins, ends, now = claims["iat"], claims["exp"], self._clock.now().timestamp()
        if not begins - CLOCK_SLACK_S <= now < ends or ends - begins > LONGEST_ASSERTION_S:
            raise FailedSignInError("exp: at most 60 minutes after iat, and not over")
        return _scopes(claims.get("scope"))

    def _is_our_address(self, audience: Any, url: str) -> bool:
        """Either host form of the account, or the address that was called."""
        account = str(self._credentials["account"]).lower().replace("_", "-")
        hosts = {f"{account}.{kind}.api.netsuite.com" for kind in ("suitetalk", "restlets")}
        ours = {f"https://{host}{TOKEN_PATH}" for host in hosts}
        called = urlsplit(url)
        ours.add(f"{called.scheme}://{called.netloc}{called.path}")
        return bool(ours & set(audience if isinstance(audience, list) else [audience]))


def _scopes(asked: Any) -> list[str]:
    """The documents show an array, a comma list and a plain word."""
    words = asked if isinstance(asked, list) else str(asked or "").replace(",", " ").split()
    if SCOPE not in words:
        raise FailedSignInError("scope")
    return [str(each) for each in words]
