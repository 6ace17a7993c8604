"""Authentication: OAuth 1 signatures, OAuth 2 assertions and tokens, locks."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any, Literal

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from oauthlib.common import generate_nonce
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256, Client

from resources.sandbox.netsuite.server import NetSuiteSandbox
from resources.sandbox.netsuite.signature import oauth_parameters, sign
from resources.sandbox.sandbox import BASE_URLS, Sandbox
from tests.resources.sandbox.netsuite.api_client import SUITEQL, ApiClient, SetSwitches

TOKEN = "/services/rest/auth/oauth2/v1/token"
TIME = "/services/rest/system/v1/serverTime"
BASE = BASE_URLS["netsuite"]

# Oracle's published sample values, not live credentials
ORACLE = {
    "oauth_consumer_key": "ef40afdd8abaac111b13825dd5e5e2ddddb44f86d5a0dd6dcf38c20aae6b67e4",
    "oauth_token": "2b0ce516420110bcbd36b69e99196d1b7f6de3c6234c5afb799b73d87569f5cc",
    "oauth_nonce": "fjaLirsIcCGVZWzBX0pg",
    "oauth_timestamp": "1508242306",
    "oauth_signature_method": "HMAC-SHA256",
    "oauth_version": "1.0",
}
ORACLE_SECRETS = (
    "d26ad321a4b2f23b0741c8d38392ce01c3e23e109df6c96eac6d099e9ab9e8b5",
    "c29a677df7d5439a458c063654187e3d678d73aca8e3c9d8bea1478a3eb0d295",
)


@pytest.fixture
def http(sandbox: Sandbox) -> httpx.Client:
    """A client without authentication."""
    return httpx.Client(transport=sandbox.transport("netsuite"), base_url=BASE)


Sign = Callable[..., dict[str, str]]


@pytest.fixture
def signed(sandbox: Sandbox) -> Sign:
    """A function that returns the headers of a signed request, made by oauthlib."""

    def headers(
        url: str = f"{BASE}{TIME}", method: Literal["GET", "POST"] = "GET", *, age_s: int = 0, **options: Any
    ) -> dict[str, str]:
        keys = sandbox.credentials["netsuite"]
        defaults = {
            "client_secret": keys["consumer_secret"],
            "resource_owner_key": keys["token_id"],
            "resource_owner_secret": keys["token_secret"],
            "signature_method": SIGNATURE_HMAC_SHA256,
            "realm": keys["account"],
            "timestamp": str(int(sandbox.clock.now().timestamp()) - age_s),
            "nonce": generate_nonce(),
        }
        signed_headers = Client(keys["consumer_key"], **{**defaults, **options}).sign(url, http_method=method)[1]
        return dict(signed_headers)

    return headers


def test_oracles_test_vector_is_reproduced() -> None:
    """The example that the documentation publishes."""
    url = "https://123456.suitetalk.api.netsuite.com/services/rest/record/v1/employee/40"

    assert sign("GET", url, ORACLE, *ORACLE_SECRETS) == "B5OIWznZ2YP0OB7VrJrGkYsTh+8H+5T9Hag+o92q0zY="


def test_query_parameters_are_part_of_the_signature() -> None:
    """`limit` and `offset` are sorted among the oauth_ parameters."""
    url = "https://123456.suitetalk.api.netsuite.com/services/rest/query/v1/suiteql?limit=1000&offset=0"

    assert sign("POST", url, ORACLE, *ORACLE_SECRETS) == "K77GAJRnfr1XDIXWkDNFBb1G343XzZc397WHGpnHFF8="


def test_a_malformed_header_has_no_parameters() -> None:
    """It is rejected, not partly parsed."""
    assert oauth_parameters('OAuth realm="x", invalid') == {}
    assert oauth_parameters('OAuth oauth_nonce="a", oauth_nonce="b"') == {}


def test_a_signed_request_is_accepted(http: httpx.Client, signed: Sign) -> None:
    """Token-based authentication still works."""
    assert http.get(TIME, headers=signed()).status_code == 200


def test_a_signed_query_is_accepted(http: httpx.Client, signed: Sign) -> None:
    """With a query string and a JSON body, which is not signed."""
    path = f"{SUITEQL}?limit=10&offset=20"
    headers = {**signed(f"{BASE}{path}", "POST"), "Prefer": "transient"}

    assert http.post(path, headers=headers, json={"q": "SELECT id FROM customer"}).status_code == 200


def test_every_oauth_parameter_is_signed(sandbox: Sandbox, http: httpx.Client) -> None:
    """Some libraries add oauth_body_hash."""
    keys = sandbox.credentials["netsuite"]
    oauth = {
        **ORACLE,
        "oauth_consumer_key": keys["consumer_key"],
        "oauth_token": keys["token_id"],
        "oauth_timestamp": str(int(sandbox.clock.now().timestamp())),
        "oauth_body_hash": base64.b64encode(hashlib.sha256(b"").digest()).decode(),
    }
    oauth["oauth_signature"] = sign("GET", f"{BASE}{TIME}", oauth, keys["consumer_secret"], keys["token_secret"])
    pairs = ", ".join(
        f'{name}="{httpx.QueryParams({"": value})!s}"'.replace('"=', '"') for name, value in oauth.items()
    )

    response = http.get(TIME, headers={"Authorization": f'OAuth realm="{keys["account"]}", {pairs}'})

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"realm": "1234567_sb1"}, "realm"),
        ({"realm": "1234567-SB1"}, "realm"),
        ({"client_secret": "wrong"}, "InvalidSignature"),
        ({"resource_owner_secret": "wrong"}, "InvalidSignature"),
        ({"resource_owner_key": "wrong"}, "token_rejected"),
        ({"signature_method": SIGNATURE_HMAC_SHA1}, "UnknownAlgorithm"),
        ({"age_s": 301}, "InvalidTimestamp"),
        ({"age_s": -301}, "InvalidTimestamp"),
        ({"nonce": "short"}, "NonceUsed"),
    ],
)
def test_a_wrong_signature_is_an_invalid_login(
    http: httpx.Client, signed: Sign, options: dict[str, Any], reason: str
) -> None:
    """The response is always the same; NetSuite shows the reason in its audit trail only."""
    response = http.get(TIME, headers=signed(**options))

    assert response.status_code == 401
    assert response.json()["o:errorDetails"][0]["o:errorCode"] == "INVALID_LOGIN"
    assert response.headers["content-type"] == "application/vnd.oracle.resource+json; type=error"
    assert response.headers["x-sandbox-reason"].startswith(reason)


def test_a_signature_is_valid_once(http: httpx.Client, signed: Sign) -> None:
    """Every retry needs a new nonce."""
    headers = signed()

    assert [http.get(TIME, headers=headers).status_code for _ in range(2)] == [200, 401]


def test_a_signature_is_valid_for_its_own_url(http: httpx.Client, signed: Sign) -> None:
    """Another path or page needs another signature."""
    headers = {**signed(f"{BASE}{SUITEQL}?limit=10", "POST"), "Prefer": "transient"}

    assert http.post(f"{SUITEQL}?limit=20", headers=headers, json={"q": "SELECT id FROM job"}).status_code == 401


def test_no_authorization_is_an_invalid_login(http: httpx.Client) -> None:
    """A request without authentication is rejected."""
    assert http.get(TIME).status_code == 401


def test_five_failures_lock_the_user_for_half_an_hour(sandbox: Sandbox, http: httpx.Client, signed: Sign) -> None:
    """The right signature is rejected as well."""
    for _ in range(5):
        http.get(TIME, headers=signed(client_secret="wrong"))
    assert http.get(TIME, headers=signed()).status_code == 401

    sandbox.clock.sleep(1801)

    assert http.get(TIME, headers=signed()).status_code == 200


def test_the_lock_can_be_shorter(sandbox: Sandbox, http: httpx.Client, signed: Sign, switch: SetSwitches) -> None:
    """One failure, one minute."""
    switch(lock_after=1, lock_s=60)
    http.get(TIME, headers=signed(client_secret="wrong"))
    assert http.get(TIME, headers=signed()).status_code == 401

    sandbox.clock.sleep(61)

    assert http.get(TIME, headers=signed()).status_code == 200


def test_a_successful_sign_in_resets_the_failures(http: httpx.Client, signed: Sign) -> None:
    """Four failures, a success, four failures: the user is not locked."""
    for _ in range(2):
        for _ in range(4):
            http.get(TIME, headers=signed(client_secret="wrong"))
        assert http.get(TIME, headers=signed()).status_code == 200


def test_the_lock_can_be_disabled(http: httpx.Client, signed: Sign, switch: SetSwitches) -> None:
    """For tests that fail on purpose."""
    switch(lock_after=0)
    for _ in range(6):
        http.get(TIME, headers=signed(client_secret="wrong"))

    assert http.get(TIME, headers=signed()).status_code == 200


def test_token_based_authentication_can_be_disabled(http: httpx.Client, signed: Sign, switch: SetSwitches) -> None:
    """It is scheduled to end with release 2028.1."""
    switch(tba_allowed=False)

    assert http.get(TIME, headers=signed()).status_code == 401


# OAuth 2.0 client credentials

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def public_pem(key: PrivateKey) -> str:
    """Return the public key as the setup page accepts it."""
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*form).decode()


@pytest.fixture
def key(sandbox: Sandbox) -> PrivateKey:
    """The private key whose public key the account has."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    sandbox.credentials["netsuite"]["public_key"] = public_pem(private_key)
    return private_key


RequestToken = Callable[..., httpx.Response]


@pytest.fixture
def request_token(sandbox: Sandbox, http: httpx.Client, key: PrivateKey) -> RequestToken:
    """A function that requests a token with a valid assertion, changed by the given claims."""

    def send(
        *, signing_key: PrivateKey = key, algorithm: str = "ES256", kid: str = "", **claims: Any
    ) -> httpx.Response:
        keys = sandbox.credentials["netsuite"]
        now = int(sandbox.clock.now().timestamp())
        content = {
            "iss": keys["client_id"],
            "scope": ["rest_webservices"],
            "iat": now,
            "exp": now + 300,
            "aud": f"{BASE}{TOKEN}",
            **claims,
        }
        assertion = jwt.encode(
            content, signing_key, algorithm=algorithm, headers={"kid": kid or keys["certificate_id"]}
        )
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        return http.post(TOKEN, data=form)

    return send


def test_an_assertion_signed_with_es256_gets_a_token(request_token: RequestToken, http: httpx.Client) -> None:
    """The token is valid for an hour, and the API accepts it."""
    token = request_token().json()

    assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)
    assert http.get(TIME, headers={"Authorization": f"Bearer {token['access_token']}"}).status_code == 200


def test_an_assertion_signed_with_ps256_gets_a_token(sandbox: Sandbox, request_token: RequestToken) -> None:
    """RSA keys sign with PSS."""
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    sandbox.credentials["netsuite"]["public_key"] = public_pem(rsa_key)

    assert request_token(signing_key=rsa_key, algorithm="PS256").status_code == 200
    assert request_token(signing_key=rsa_key, algorithm="RS256").json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    "claims",
    [
        {"kid": "another"},
        {"iss": "another"},
        {"aud": "https://example.com/token"},
        {"scope": ["restlets"]},
        {"exp": 0},
        {"iat": 0, "exp": 2**40},
        {"signing_key": ec.generate_private_key(ec.SECP256R1())},
        {"signing_key": rsa.generate_private_key(public_exponent=65537, key_size=2048), "algorithm": "PS256"},
    ],
)
def test_an_invalid_assertion_gets_no_token(request_token: RequestToken, claims: dict[str, Any]) -> None:
    """The error is invalid_grant, whatever the reason."""
    response = request_token(**claims)

    assert (response.status_code, response.json()) == (400, {"error": "invalid_grant"})


def test_an_assertion_is_valid_for_at_most_an_hour(sandbox: Sandbox, request_token: RequestToken) -> None:
    """60 minutes are allowed, one second more is not."""
    now = int(sandbox.clock.now().timestamp())

    assert request_token(exp=now + 3600).status_code == 200
    assert request_token(iat=now, exp=now + 3601).status_code == 400


@pytest.mark.parametrize("scope", [["restlets", "rest_webservices"], "rest_webservices", "restlets,rest_webservices"])
def test_scopes_may_be_an_array_or_text(request_token: RequestToken, scope: Any) -> None:
    """The documentation shows both."""
    assert request_token(scope=scope).status_code == 200


def test_the_audience_may_name_the_restlets_host(request_token: RequestToken) -> None:
    """As in Oracle's sample."""
    assert request_token(aud=f"https://1234567-sb1.restlets.api.netsuite.com{TOKEN}").status_code == 200


def test_another_grant_is_an_invalid_request(http: httpx.Client) -> None:
    """Only client credentials are supported."""
    assert http.post(TOKEN, data={"grant_type": "password"}).json() == {"error": "invalid_request"}


def test_a_token_expires_by_the_accounts_clock(
    sandbox: Sandbox, request_token: RequestToken, http: httpx.Client
) -> None:
    """After an hour: 401 with the documented challenge."""
    headers = {"Authorization": f"Bearer {request_token().json()['access_token']}"}
    sandbox.clock.sleep(3590)
    assert http.get(TIME, headers=headers).status_code == 200

    sandbox.clock.sleep(20)
    response = http.get(TIME, headers=headers)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == (
        'Bearer realm="1234567_SB1", error="invalid_token", error_description="Invalid login attempt."'
    )


def test_expires_in_may_be_a_text(request_token: RequestToken, switch: SetSwitches) -> None:
    """As in some samples."""
    switch(expires_in_text=True, token_lifetime_s=60)

    assert request_token().json()["expires_in"] == "60"


def test_the_call_log_has_no_personal_data(account: NetSuiteSandbox, client: ApiClient) -> None:
    """It has method, path and status, so that tests can prove the absence of writes; no query, no body."""
    client.get("/record/v1/metadata-catalog", select="ann@example.com")

    last = account.call_log()[-1]

    assert (last["method"], last["path"], last["status"]) == ("GET", "/services/rest/record/v1/metadata-catalog", 200)
    assert "ann@example.com" not in str(account.call_log())
