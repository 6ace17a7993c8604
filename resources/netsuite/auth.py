"""How NetSuite calls are signed: OAuth 2.0 client credentials (the default) or token-based sign-in.

request  ->  Authorization header  ->  401?  ->  signed once more  ->  401?  ->  CredentialsError

Five failed sign-ins lock a token for 30 minutes, so a refusal is answered with one new signature and no more; an
`Auth` that was refused before anything was ever accepted, or four times in a row, sends nothing again. Calls side by
side count together, for an account may also answer 401 when there are too many of them.

Source: NetSuite help, "OAuth 2.0 Client Credentials Flow" (section_162755359851) and "The Authorization Header"
(section_1534941088). New token-based integrations end with release 2027.1.
"""

import threading
import uuid
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from oauthlib.common import generate_nonce
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client

from resources.clock import Clock
from resources.errors import CredentialsError, RateLimitedError, TransientError
from resources.http import retry_after_s

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"  # noqa: S105
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME_S = 300  # NetSuite allows 60 minutes
MOST_REFUSED = 4  # in a row; the fifth locks
EARLY_S = 60  # a token is renewed this long before it expires
EC_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
MEND = (
    "sign-in refused; compare NETSUITE_ACCOUNT and the keys (NETSUITE_CLIENT_ID, NETSUITE_CERTIFICATE_ID,"
    " NETSUITE_PRIVATE_KEY_FILE; token-based: NETSUITE_CONSUMER_KEY, NETSUITE_CONSUMER_SECRET, NETSUITE_TOKEN_ID,"
    " NETSUITE_TOKEN_SECRET) with Setup > Integration, check that the role may use REST web services, and see"
    " Setup > Users/Roles > View Login Audit Trail for NetSuite's reason"
)

Flow = Generator[httpx.Request, httpx.Response, None]


class NetSuiteAuth(httpx.Auth):
    """Signs each request; a refused one is signed anew once, for a token may have been withdrawn early."""

    def __init__(self) -> None:
        self._accepted = False
        self._refused = False
        self._refusals = 0  # since a call was accepted that began after the last of them
        self._flying = 0
        self._alone = 0  # calls that wait until no other is on its way, or are on their way so
        self._landed = threading.Condition()

    @abstractmethod
    def sign(self, request: httpx.Request) -> Flow:
        """Put the Authorization header on a request."""

    @abstractmethod
    def forget(self, request: httpx.Request) -> None:
        """Do not sign with what was just refused again."""

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        """Sign, send, and sign once more after a 401.

        Raises:
            CredentialsError: NetSuite refused every earlier request of this sign-in; nothing was sent.
        """
        with self._on_its_way(alone=False):
            response = yield from self._signed(request)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            response.read()
            with self._on_its_way(alone=True):  # the others may be refused as well, and count
                self.forget(request)
                response = yield from self._signed(request)
                self._refused = self._refused or not self._accepted

    @contextmanager
    def _on_its_way(self, *, alone: bool) -> Iterator[None]:
        flying = 0
        with self._landed:
            self._alone += alone
        try:
            with self._landed:
                self._landed.wait_for(lambda: not self._flying if alone else not self._alone)
                flying = 1
                self._flying += flying
            yield
        finally:
            with self._landed:
                self._flying -= flying
                self._alone -= alone
                self._landed.notify_all()

    def _signed(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, httpx.Response]:
        if self._refused:
            raise CredentialsError("netsuite", "sign in", f"not tried again: {MEND}")
        before = self._refusals
        yield from self.sign(request)
        response = yield request
        with self._landed:
            if response.status_code == httpx.codes.UNAUTHORIZED:
                self._refusals += 1
                self._refused = self._refused or self._refusals >= MOST_REFUSED
            else:
                self._accepted = True
                self._refusals = 0 if self._refusals == before else self._refusals
        return response


class ClientCredentials(NetSuiteAuth):
    """OAuth 2.0 client credentials: a short-lived token against an assertion signed with our private key."""

    def __init__(self, *, base_url: str, client_id: str, certificate_id: str, private_key: bytes, clock: Clock) -> None:
        """Take the keys.

        Args:
            base_url: Root of the account; the token is asked for and valid there.
            client_id: Of the integration record.
            certificate_id: Shown on the page "OAuth 2.0 Client Credentials (M2M) Setup".
            private_key: PEM, RSA (3072 or 4096 bits) or EC (P-256, P-384, P-521).
            clock: Tells when a token has expired.

        Raises:
            CredentialsError: The key is neither RSA nor EC.
        """
        super().__init__()
        self._token_url = base_url.rstrip("/") + TOKEN_PATH
        self._client_id = client_id
        self._certificate_id = certificate_id
        self._key, self._algorithm = _signing_key(private_key)
        self._clock = clock
        self._turn = threading.Lock()
        self._token = ""
        self._expires_at = clock.now()

    def sign(self, request: httpx.Request) -> Flow:
        """Use the kept token; of many threads that need a new one, one asks and the others wait."""
        with self._turn:
            if not self._token or self._clock.now() >= self._expires_at:
                response = yield self._token_request()
                response.read()
                self._keep(response)
            request.headers["Authorization"] = f"Bearer {self._token}"

    def forget(self, request: httpx.Request) -> None:
        """Drop the refused token, unless another thread has renewed it meanwhile."""
        with self._turn:
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

    def _keep(self, response: httpx.Response) -> None:
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            after = retry_after_s(response, self._clock.now())
            raise RateLimitedError("netsuite", "sign in", "HTTP 429", retry_after_s=after)
        if response.is_server_error:
            raise TransientError("netsuite", "sign in", f"HTTP {response.status_code}")
        if not response.is_success:
            self._refused = not self._accepted
            raise CredentialsError("netsuite", "sign in", f"{_oauth_error(response)}: {MEND}")
        try:
            answer = response.json()
            self._token = str(answer["access_token"])
            lifetime_s = int(answer["expires_in"])
        except (ValueError, KeyError, TypeError) as error:
            raise TransientError("netsuite", "sign in", "the token answer is not the documented JSON") from error
        self._expires_at = self._clock.now() + timedelta(seconds=lifetime_s - EARLY_S)


def _signing_key(pem: bytes) -> tuple[rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, str]:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise CredentialsError(
            "netsuite", "sign in", "NETSUITE_PRIVATE_KEY_FILE names no PEM key without pass phrase"
        ) from error
    if isinstance(key, rsa.RSAPrivateKey):
        return key, "PS256"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in EC_ALGORITHMS:
        return key, EC_ALGORITHMS[key.curve.name]
    reason = "NETSUITE_PRIVATE_KEY_FILE: the key must be RSA or EC (P-256, P-384, P-521)"
    raise CredentialsError("netsuite", "sign in", reason)


def _oauth_error(response: httpx.Response) -> str:
    """The error code of RFC 6749 §5.2, and nothing else of the answer."""
    try:
        code = str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        code = "no error code"
    return f"HTTP {response.status_code} {code[:40]}"


class TokenBased(NetSuiteAuth):
    """Token-based sign-in: OAuth 1.0a with HMAC-SHA256, a new nonce and timestamp at each try."""

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
        """Sign method, address and query; a JSON body is not part of the signature."""
        stamp = str(int(self._clock.now().timestamp()))
        client = Client(**self._keys, signature_method=SIGNATURE_HMAC_SHA256, nonce=self._nonce(), timestamp=stamp)
        _, headers, _ = client.sign(str(request.url), http_method=request.method)  # type: ignore[arg-type]
        request.headers["Authorization"] = headers["Authorization"]
        yield from ()

    def forget(self, request: httpx.Request) -> None:
        """Nothing is kept: each signature is new."""
