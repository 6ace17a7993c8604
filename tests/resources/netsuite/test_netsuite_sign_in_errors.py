"""A rejected sign-in names its cause: clock, certificate, language, address; and passes NetSuite's words on."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from resources.errors import CredentialsError, IntegrationError, TransientError
from resources.netsuite.auth import MAX_LIFE_S, UNKNOWN_LIFE_S, ClientCredentials
from resources.netsuite.connect import open_netsuite
from resources.netsuite.resource import NetSuiteResource
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import Sandbox
from tests.resources.netsuite.signed import with_keys
from tests.resources.netsuite.test_netsuite_auth import BASE, StoppedClock, clock, pem
from tests.resources.netsuite.test_netsuite_client import answering
from tests.resources.netsuite.test_netsuite_doctor import certificate

__all__ = ["clock"]  # a fixture
QUERY = "select c.id from customer c"


@pytest.mark.parametrize("auth", ["oauth2", "tba"])
@pytest.mark.parametrize(
    ("skew_s", "text"),
    [(420, "clock is 7 minutes behind NetSuite's"), (-3600, "clock is 60 minutes ahead of NetSuite's")],
)
def test_a_wrong_clock_is_named(sandbox: Sandbox, auth: str, skew_s: int, text: str) -> None:
    """The error response's Date shows it, so the keys are not suspected first."""
    sandbox.switches.set("netsuite", NetSuiteSwitches, clock_skew_s=skew_s)

    with with_keys(sandbox, auth) as client, pytest.raises(CredentialsError, match="synchronize it") as raised:
        client.suiteql(QUERY)
    assert text in str(raised.value)


@pytest.mark.parametrize("auth", ["oauth2", "tba"])
def test_a_right_clock_is_not_blamed(sandbox: Sandbox, auth: str) -> None:
    """NetSuite's words and the keys to compare."""
    wrong = {"oauth2": {"client_id": "not this one"}, "tba": {"token_secret": "not this one"}}[auth]

    with with_keys(sandbox, auth, **wrong) as client, pytest.raises(CredentialsError) as raised:
        client.suiteql(QUERY)
    text = str(raised.value)
    assert "clock" not in text
    assert "compare NETSUITE_ACCOUNT" in text
    assert ("Invalid login attempt" if auth == "tba" else "invalid_") in text


def refused(
    answer: Callable[[httpx.Request], httpx.Response], clock: StoppedClock, key: bytes = b""
) -> IntegrationError:
    """Return the error of a sign-in with this answer."""
    private_key = key or pem(ec.generate_private_key(ec.SECP256R1()))
    signing = ClientCredentials(base_url=BASE, client_id="c", certificate_id="k", private_key=private_key, clock=clock)
    http = httpx.Client(base_url=BASE, auth=signing, transport=httpx.MockTransport(answer))
    with http, pytest.raises(IntegrationError) as raised:
        http.get("/x")
    return raised.value


@pytest.mark.parametrize(("days", "named"), [(-1, True), (1, False)])
def test_an_expired_certificate_is_named(days: int, named: bool) -> None:  # noqa: FBT001 - a case
    """If the key file contains it."""
    key = ec.generate_private_key(ec.SECP256R1())
    file = pem(key) + certificate(key, 30)
    answer = httpx.Response(400, json={"error": "invalid_grant"})
    later = StoppedClock(_end_of(file) - timedelta(days=days))

    assert ("the certificate expired on" in str(refused(lambda _: answer, later, file))) is named


def _end_of(file: bytes) -> datetime:
    return x509.load_pem_x509_certificate(file).not_valid_after_utc


def test_the_description_is_passed_on_without_keys(clock: StoppedClock) -> None:
    """RFC 6749 §5.2; an assertion that is quoted is cut out."""
    quoted = "e" * 60
    body = {"error": "invalid_grant", "error_description": f"Certificate revoked: {quoted}"}

    error = refused(lambda _: httpx.Response(400, json=body), clock)

    assert "invalid_grant (Certificate revoked: …)" in str(error)
    assert quoted not in str(error)


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (
            httpx.Response(302, headers={"location": "https://system.netsuite.com/pages/login"}),
            "sent on to system.netsuite.com",
        ),
        (httpx.Response(302, headers={"location": "/login"}), "sent on to another page"),
        (httpx.Response(404, html="<h1>Not Found</h1>"), "answered with text/html and not as NetSuite"),
        (httpx.Response(403, text="Forbidden"), "answered with text/plain"),
    ],
)
def test_a_wrong_address_is_named(clock: StoppedClock, response: httpx.Response, text: str) -> None:
    """At the token endpoint and at the query."""
    for error in (refused(lambda _: response, clock), _query_error(response)):
        assert isinstance(error, CredentialsError)
        assert text in str(error)
        assert "NETSUITE_ACCOUNT" in str(error)


def _query_error(response: httpx.Response) -> IntegrationError:
    with pytest.raises(IntegrationError) as raised:
        answering(lambda _: response).suiteql(QUERY)
    return raised.value


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<h1>Sign in to the network</h1>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"access_token": None, "expires_in": 3600}),
        httpx.Response(200, json={"access_token": "", "expires_in": 3600}),
        httpx.Response(200, json={"expires_in": 3600}),
    ],
)
def test_an_answer_without_a_token_names_the_address(clock: StoppedClock, answer: httpx.Response) -> None:
    """No request is signed with the word None."""
    error = refused(lambda _: answer, clock)

    assert isinstance(error, TransientError)
    assert "NETSUITE_BASE_URL, or a proxy has answered" in str(error)


@pytest.mark.parametrize(
    ("lifetime", "seconds"),
    [
        (3600, 3600), ("3600", 3600), ("3600.0", 3600), (3600.0, 3600), (None, UNKNOWN_LIFE_S),
        ("soon", UNKNOWN_LIFE_S), (..., UNKNOWN_LIFE_S), (10**11, MAX_LIFE_S), (-1, 0),
        (float("1e300"), UNKNOWN_LIFE_S), ([], UNKNOWN_LIFE_S),
    ],
)  # fmt: skip
def test_a_lifetime_in_any_form_is_read(clock: StoppedClock, lifetime: Any, seconds: int) -> None:
    """An unreadable one does not fail the sign-in; the token is used until shortly before its end."""
    issued: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/token"):
            return httpx.Response(200)
        issued.append(1)
        body = {"access_token": "t"} | ({} if lifetime is ... else {"expires_in": lifetime})
        return httpx.Response(200, json=body)

    key = pem(ec.generate_private_key(ec.SECP256R1()))
    signing = ClientCredentials(base_url=BASE, client_id="c", certificate_id="k", private_key=key, clock=clock)
    with httpx.Client(base_url=BASE, auth=signing, transport=httpx.MockTransport(answer)) as http:
        assert http.get("/x").is_success
        clock.sleep(max(0, seconds - 61))
        assert http.get("/x").is_success
        assert len(issued) == (1 if seconds else 2)
        clock.sleep(2)
        http.get("/x")
        assert len(issued) == (2 if seconds else 3)


def test_the_companys_language_is_a_setting(sandbox: Sandbox) -> None:
    """Without it, the error names the setting and its value; no column is suspected."""
    sandbox.switches.set("netsuite", NetSuiteSwitches, company_language="zh")

    with open_netsuite(sandbox=str(sandbox.folder)) as client:
        with pytest.raises(CredentialsError, match="set NETSUITE_LANGUAGE to zh") as raised:
            client.suiteql(QUERY)
        assert "Invalid language. REST web services" in str(raised.value)
        assert client.calls == 1
    with open_netsuite(sandbox=str(sandbox.folder), language="zh") as client:
        assert client.suiteql(QUERY) == []


def test_the_language_is_not_sent_unless_it_is_set(sandbox: Sandbox) -> None:
    """Most accounts need none."""
    requests: list[httpx.Request] = []
    with with_keys(sandbox, "tba", requests) as client:
        client.suiteql(QUERY)

    assert "accept-language" not in requests[0].headers
    assert NetSuiteResource.model_fields["language"].default == ""


def test_an_unreadable_key_file_is_named(tmp_path: Path) -> None:
    """Before anything is sent."""
    with open_netsuite(
        account="1", client_id="c", certificate_id="k", private_key_file=str(tmp_path / "no.pem")
    ) as client, pytest.raises(CredentialsError, match="NETSUITE_PRIVATE_KEY_FILE"):  # fmt: skip
        client.suiteql(QUERY)
