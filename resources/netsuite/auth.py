"""Sign NetSuite calls by OAuth 2.0 client credentials (the default) or by token-based authentication.

request  ->  Authorization header  ->  401?  ->  signed once more  ->  401?  ->  CredentialsError

Five failed sign-ins lock a token for 30 minutes, so a 401 leads to one new signature and no more; after a 401 before
any success, or after four in a row, nothing is sent again. Parallel calls count together, because an account may also
answer 401 to too many of them.

Source: NetSuite help, "OAuth 2.0 Client Credentials Flow" (section_162755359851) and "The Authorization Header"
(section_1534941088). No new token-based integrations can be created from release 2027.1.
"""

import threading
import uuid
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NoReturn

import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from oauthlib.common import generate_nonce
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client

from resources.clock import Clock
from resources.errors import CredentialsError, RateLimitedError, TransientError
from resources.http_failures import retry_after_s, temporary_failure
from resources.json_body import load_json
from resources.netsuite.sign_in_errors import FIX, cause_of, oauth_error
from resources.redaction import know
from resources.scalars import as_whole, required_text

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"  # noqa: S105
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME_S = 300  # NetSuite allows 60 minutes
MAX_REJECTIONS = 4  # in a row; the fifth locks
EARLY_S = 60  # a token is renewed this long before it expires
EC_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
UNKNOWN_LIFE_S = 600  # of a token whose lifetime is unreadable; one that expires earlier is rejected, then renewed
MAX_LIFE_S = 86_400

Flow = Generator[httpx.Request, httpx.Response, None]


class NetSuiteAuth(httpx.Auth):
    """Signs each request, and once more after a 401: a token may have been revoked early."""

    def __init__(self) -> None:
        self._accepted = False
        self._locked_out = False
        self._rejections = 0  # since a call succeeded that began after the last of them
        self._in_flight = 0
        self._exclusive = 0  # calls that run, or wait to run, without any other
        self._changed = threading.Condition()

    @abstractmethod
    def sign(self, request: httpx.Request) -> Flow:
        """Set the Authorization header of a request."""

    @abstractmethod
    def forget(self, request: httpx.Request) -> None:
        """Drop the credentials of a rejected request."""

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        """Sign and send, and once more after a 401.

        Raises:
            CredentialsError: NetSuite rejected every earlier request of this sign-in; nothing was sent.
        """
        with self._sending(exclusive=False):
            response = yield from self._signed(request)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            response.read()
            with self._sending(exclusive=True):  # the others may be rejected too, and count
                self.forget(request)
                response = yield from self._signed(request)
                self._locked_out = self._locked_out or not self._accepted

    @contextmanager
    def _sending(self, *, exclusive: bool) -> Iterator[None]:
        """Let calls run in parallel, but an exclusive one alone and before those that wait."""
        counted = 0
        with self._changed:
            self._exclusive += exclusive
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._in_flight if exclusive else not self._exclusive)
                counted = 1
                self._in_flight += counted
            yield
        finally:
            with self._changed:
                self._in_flight -= counted
                self._exclusive -= exclusive
                self._changed.notify_all()

    def _signed(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, httpx.Response]:
        if self._locked_out:
            raise CredentialsError("netsuite", "sign in", f"not tried again: {FIX}")
        before = self._rejections
        yield from self.sign(request)
        response = yield request
        with self._changed:
            if response.status_code == httpx.codes.UNAUTHORIZED:
                self._rejections += 1
                self._locked_out = self._locked_out or self._rejections >= MAX_REJECTIONS
            else:
                self._accepted = True
                self._rejections = 0 if self._rejections == before else self._rejections
        return response


class ClientCredentials(NetSuiteAuth):
    """OAuth 2.0 client credentials: a short-lived token for an assertion signed with our private key."""

    def __init__(self, *, base_url: str, client_id: str, certificate_id: str, private_key: bytes, clock: Clock) -> None:
        """Load the key.

        Args:
            base_url: Root of the account, which issues and accepts the token.
            client_id: Client id of the integration record.
            certificate_id: Id on the page "OAuth 2.0 Client Credentials (M2M) Setup".
            private_key: PEM, RSA (3072 or 4096 bits) or EC (P-256, P-384, P-521).
            clock: Time, for the expiry of tokens.

        Raises:
            CredentialsError: The key is neither RSA nor EC.
        """
        super().__init__()
        self._token_url = base_url.rstrip("/") + TOKEN_PATH
        self._client_id = client_id
        self._certificate_id = certificate_id
        self._key, self._algorithm = _signing_key(private_key)
        self._pem = private_key
        self._clock = clock
        self._token_lock = threading.Lock()
        self._token = self._rejection = ""
        self._expires_at = clock.now()

    def sign(self, request: httpx.Request) -> Flow:
        """Use the current token; of several threads that need a new one, one requests it and the others wait."""
        with self._token_lock:
            if not self._token or self._clock.now() >= self._expires_at:
                if self._locked_out and self._rejection:  # another thread's request was rejected while this one waited
                    raise CredentialsError("netsuite", "sign in", self._rejection)
                response = yield self._token_request()
                response.read()
                self._store(response)
            request.headers["Authorization"] = f"Bearer {self._token}"

    def forget(self, request: httpx.Request) -> None:
        """Drop the rejected token, unless another thread has renewed it meanwhile."""
        with self._token_lock:
            if request.headers["Authorization"] == f"Bearer {self._token}":
                self._token = ""

    def _token_request(self) -> httpx.Request:
        now = self._clock.now()
        claims = {
            "iss": self._client_id,
            "scope": ["rest_webservices"],
            "aud": self._token_url,
            "iat": int(now.timestamp()),
            "exp": int(now.timestamp()) + ASSERTION_LIFETIME_S,
            "jti": str(uuid.uuid4()),
        }
        assertion = jwt.encode(claims, self._key, self._algorithm, headers={"kid": self._certificate_id})
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        return httpx.Request("POST", self._token_url, data=form)

    def _store(self, response: httpx.Response) -> None:
        now = self._clock.now()
        after = retry_after_s(response, now)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise RateLimitedError("netsuite", "sign in", "HTTP 429", retry_after_s=after)
        if response.is_server_error or response.status_code == httpx.codes.REQUEST_TIMEOUT:
            raise TransientError("netsuite", "sign in", f"HTTP {response.status_code}")
        if not response.is_success:
            self._raise_rejection(response, after)
        try:
            answer = load_json(response.content)
            self._token = required_text(answer["access_token"])
            know("access token of netsuite", self._token)
        except (ValueError, KeyError, TypeError) as error:
            kind = response.headers.get("content-type", "no content type")[:60]
            reason = (
                f"the token response of {response.request.url.host} is not the documented JSON ({kind}); check"
                " NETSUITE_ACCOUNT and NETSUITE_BASE_URL, or a proxy has answered"
            )
            raise TransientError("netsuite", "sign in", reason) from error
        lifetime_s = as_whole(answer.get("expires_in")) or UNKNOWN_LIFE_S
        self._expires_at = now + timedelta(seconds=min(max(lifetime_s, 0), MAX_LIFE_S) - EARLY_S)

    def _raise_rejection(self, response: httpx.Response, after_s: float | None) -> NoReturn:
        """Raise the error of a rejected token request."""
        reason = oauth_error(response)
        if response.status_code != httpx.codes.UNAUTHORIZED:
            failure = temporary_failure("netsuite", "sign in", reason, response.text, after_s=after_s)
            if failure:
                raise failure
        self._locked_out = not self._accepted
        self._rejection = f"{reason}: {cause_of(response, self._clock.now(), self._pem)}{FIX}"
        raise CredentialsError("netsuite", "sign in", self._rejection)


def _signing_key(pem: bytes) -> tuple[rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, str]:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise CredentialsError(
            "netsuite", "sign in", "NETSUITE_PRIVATE_KEY_FILE is not a PEM private key without a passphrase"
        ) from error
    if isinstance(key, rsa.RSAPrivateKey):
        return key, "PS256"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in EC_ALGORITHMS:
        return key, EC_ALGORITHMS[key.curve.name]
    reason = "NETSUITE_PRIVATE_KEY_FILE: the key must be RSA or EC (P-256, P-384, P-521)"
    raise CredentialsError("netsuite", "sign in", reason)


class TokenBased(NetSuiteAuth):
    """Token-based authentication: OAuth 1.0a with HMAC-SHA256, a new nonce and timestamp per attempt."""

    def __init__(
        self,
        *,
        account: str,
        consumer_key: str,
        consumer_secret: str,
        token_id: str,
        token_secret: str,
        clock: Clock,
        nonce: Callable[[], str] = generate_nonce,
    ) -> None:
        super().__init__()
        self._keys = {
            "client_key": consumer_key,
            "client_secret": consumer_secret,
            "resource_owner_key": token_id,
            "resource_owner_secret": token_secret,
            "realm": account.upper().replace("-", "_"),  # a lower-case realm is an invalid login
        }
        self._clock = clock
        self._nonce = nonce

    def sign(self, request: httpx.Request) -> Flow:
        """Sign method, URL and query; a JSON body is not part of the signature."""
        stamp = str(int(self._clock.now().timestamp()))
        client = Client(**self._keys, signature_method=SIGNATURE_HMAC_SHA256, nonce=self._nonce(), timestamp=stamp)
        _, headers, _ = client.sign(str(request.url), http_method=request.method)  # type: ignore[arg-type]
        request.headers["Authorization"] = headers["Authorization"]
        yield from ()

    def forget(self, request: httpx.Request) -> None:
        """Do nothing: each signature is new."""
