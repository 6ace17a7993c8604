"""Sign NetSuite calls by OAuth 2.0 and by tokens."""

import threading
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from resources.errors import CredentialsError, TransientError
from resources.netsuite.auth import ClientCredentials, TokenBased

BASE = "https://123456.suitetalk.api.netsuite.com"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class StoppedClock:
    """A clock that moves only on `sleep`."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        """Return the moment."""
        return self.moment

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.moment += timedelta(seconds=seconds)


class TokenHost:
    """A token endpoint and one resource; counts requests."""

    def __init__(self) -> None:
        self.tokens = 0
        self.assertions: list[str] = []
        self.reject_next = 0
        self.token_status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        if request.url.path.endswith("/token"):
            self.tokens += 1
            self.assertions.append(httpx.QueryParams(request.content.decode())["client_assertion"])
            body = {"access_token": f"t{self.tokens}", "expires_in": "3600"}
            return httpx.Response(
                self.token_status, json=body if self.token_status == 200 else {"error": "invalid_grant"}
            )
        if self.reject_next:
            self.reject_next -= 1
            return httpx.Response(401)
        return httpx.Response(200, json={"seen": request.headers["authorization"]})


def pem(key: PrivateKey) -> bytes:
    """Return a key in the format of the file."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture
def clock() -> StoppedClock:
    """Return a clock that shows noon."""
    return StoppedClock(datetime(2026, 11, 16, 12, tzinfo=UTC))


@pytest.fixture
def host() -> TokenHost:
    """Return a host that answers at once."""
    return TokenHost()


def client(host: TokenHost, clock: StoppedClock, key: PrivateKey | None = None) -> httpx.Client:
    """Return an HTTP client that signs with client credentials."""
    signing = ClientCredentials(
        base_url=BASE,
        client_id="c",
        certificate_id="cert",
        private_key=pem(key or ec.generate_private_key(ec.SECP256R1())),
        clock=clock,
    )
    return httpx.Client(base_url=BASE, transport=httpx.MockTransport(host), auth=signing)


def test_the_signature_matches_oracles_published_sample() -> None:
    """NetSuite help, section_1534941295; the sample keys are public."""
    signing = TokenBased(
        account="123456",
        consumer_key="ef40afdd8abaac111b13825dd5e5e2ddddb44f86d5a0dd6dcf38c20aae6b67e4",
        consumer_secret="d26ad321a4b2f23b0741c8d38392ce01c3e23e109df6c96eac6d099e9ab9e8b5",
        token_id="2b0ce516420110bcbd36b69e99196d1b7f6de3c6234c5afb799b73d87569f5cc",
        token_secret="c29a677df7d5439a458c063654187e3d678d73aca8e3c9d8bea1478a3eb0d295",
        clock=StoppedClock(datetime.fromtimestamp(1508242306, UTC)),
        nonce=lambda: "fjaLirsIcCGVZWzBX0pg",
    )
    plain = httpx.Request("GET", f"{BASE}/services/rest/record/v1/employee/40")
    query = httpx.Request("POST", f"{BASE}/services/rest/query/v1/suiteql?limit=1000&offset=0", json={"q": "…"})

    for request in (plain, query):
        list(signing.sign(request))

    assert 'oauth_signature="B5OIWznZ2YP0OB7VrJrGkYsTh%2B8H%2B5T9Hag%2Bo92q0zY%3D"' in plain.headers["authorization"]
    assert 'oauth_signature="K77GAJRnfr1XDIXWkDNFBb1G343XzZc397WHGpnHFF8%3D"' in query.headers["authorization"]


def test_the_realm_is_the_account_in_upper_case() -> None:
    """A lower-case realm, or the host's spelling of the account, is an invalid login."""
    signing = TokenBased(
        account="1234567-sb1",
        consumer_key="a",
        consumer_secret="b",
        token_id="c",
        token_secret="d",
        clock=StoppedClock(datetime(2026, 11, 16, tzinfo=UTC)),
    )
    requests = [httpx.Request("GET", BASE) for _ in range(2)]

    for request in requests:
        list(signing.sign(request))

    assert 'realm="1234567_SB1"' in requests[0].headers["authorization"]
    assert requests[0].headers["authorization"] != requests[1].headers["authorization"], "a nonce is used once"


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa.generate_private_key(65537, 3072), "PS256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384"),
    ],
)
def test_the_assertion_is_signed_with_the_keys_algorithm(
    key: PrivateKey, algorithm: str, host: TokenHost, clock: StoppedClock
) -> None:
    """NetSuite accepts PS256 for RSA keys and ES… for EC keys, with the certificate's id in the header."""
    client(host, clock, key).get("/x")

    header = jwt.get_unverified_header(host.assertions[0])
    claims = jwt.decode(
        host.assertions[0],
        key.public_key(),
        algorithms=[algorithm],
        audience=f"{BASE}/services/rest/auth/oauth2/v1/token",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert (header["alg"], header["kid"], header["typ"]) == (algorithm, "cert", "JWT")
    assert claims["iat"] == int(clock.now().timestamp())
    assert 0 < claims["exp"] - claims["iat"] <= 3600


def test_a_token_is_reused_until_shortly_before_it_expires(host: TokenHost, clock: StoppedClock) -> None:
    """One token serves a run; an expired one would cost a 401."""
    http = client(host, clock)
    seen = [http.get("/x").json()["seen"] for _ in range(3)]

    clock.sleep(3599)

    assert seen == ["Bearer t1"] * 3
    assert http.get("/x").json()["seen"] == "Bearer t2"


def test_many_threads_try_a_rejected_key_once(host: TokenHost, clock: StoppedClock) -> None:
    """Each attempt counts towards the lock; every thread's error names the cause."""
    host.token_status, http, errors = 400, client(host, clock), list[CredentialsError]()

    def call() -> None:
        with pytest.raises(CredentialsError) as raised:
            http.get("/x")
        errors.append(raised.value)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert host.tokens == 1
    assert len(errors) == len(threads)
    assert all("NETSUITE_CLIENT_ID" in str(each) for each in errors)


def test_many_threads_fetch_one_token(host: TokenHost, clock: StoppedClock) -> None:
    """Several sign-ins at once would only get closer to the lockout."""
    http = client(host, clock)
    threads = [threading.Thread(target=http.get, args=("/x",)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert host.tokens == 1


def test_a_rejected_token_is_renewed_once(host: TokenHost, clock: StoppedClock) -> None:
    """A token may be revoked before it expires."""
    http = client(host, clock)
    http.get("/x")
    host.reject_next = 1

    answer = http.get("/x")

    assert answer.json() == {"seen": "Bearer t2"}


def test_a_sign_in_that_was_never_accepted_is_not_repeated(host: TokenHost, clock: StoppedClock) -> None:
    """Five failures lock the user for half an hour."""
    http = client(host, clock)
    host.reject_next = 99

    assert http.get("/x").status_code == 401
    with pytest.raises(CredentialsError, match="not tried again"):
        http.get("/x")

    assert host.reject_next == 97


def test_a_rejected_assertion_names_the_audit_trail(host: TokenHost, clock: StoppedClock) -> None:
    """The token endpoint says only `invalid_grant`; the reason is in NetSuite's audit trail."""
    host.token_status = 400

    with pytest.raises(CredentialsError, match=r"HTTP 400 invalid_grant.*Login Audit Trail"):
        client(host, clock).get("/x")


def test_a_token_endpoint_that_is_down_is_transient(host: TokenHost, clock: StoppedClock) -> None:
    """An outage does not mean a wrong key."""
    http = client(host, clock)
    host.token_status = 503
    with pytest.raises(TransientError):
        http.get("/x")

    host.token_status = 200

    assert http.get("/x").status_code == 200


def test_a_file_that_is_not_a_key_is_rejected(clock: StoppedClock) -> None:
    """Users often give the certificate instead of the key."""
    with pytest.raises(CredentialsError, match="PEM"):
        ClientCredentials(base_url=BASE, client_id="c", certificate_id="k", private_key=b"no key", clock=clock)
