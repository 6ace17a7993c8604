"""The resource against the sandbox: both ways to sign in, and errors of wrong or missing keys."""

import dagster as dg
import pytest

from resources.errors import CredentialsError
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.connect import base_url_of, open_netsuite
from resources.netsuite.resource import NetSuiteResource
from resources.sandbox.sandbox import Sandbox
from tests.resources.netsuite.signed import with_keys

COUNT = "select count(*) as n from customer c"


@pytest.mark.parametrize("auth", ["oauth2", "tba"])
def test_both_ways_to_sign_in_work(sandbox: Sandbox, auth: str) -> None:
    """Token-based authentication ends with release 2028.1; until then it is in use."""
    sandbox.netsuite.insert("customer", [{"id": 1}])

    with open_netsuite(sandbox=str(sandbox.folder), auth=auth) as client:
        assert client.suiteql(COUNT) == [{"n": "1"}]


@pytest.mark.parametrize("seconds", [1800, 4000, 90_000])
def test_a_session_outlives_its_token(sandbox: Sandbox, seconds: int) -> None:
    """Tokens are valid for an hour, a backfill may take longer."""
    with open_netsuite(sandbox=str(sandbox.folder)) as client:
        client.suiteql(COUNT)
        sandbox.clock.sleep(seconds)

        assert client.suiteql(COUNT) == [{"n": "0"}]


@pytest.mark.parametrize(
    ("auth", "key", "statuses"),
    [
        ("tba", "token_secret", [401, 401]),
        ("tba", "consumer_key", [401, 401]),
        ("tba", "account", [401, 401]),
        ("oauth2", "client_id", [400]),
        ("oauth2", "certificate_id", [400]),
    ],
)
def test_a_wrong_key_names_the_fix_and_is_retried_once(
    sandbox: Sandbox, auth: str, key: str, statuses: list[int]
) -> None:
    """Five failures lock the user for half an hour; a person must act, and the text contains no secret."""
    secret = "0" * 63 + "1"
    with with_keys(sandbox, auth, **{key: secret}) as client:
        for _ in range(3):
            with pytest.raises(CredentialsError, match="Login Audit Trail") as raised:
                client.suiteql(COUNT)
            assert secret not in str(raised.value)

    assert [call["status"] for call in sandbox.netsuite.call_log()] == statuses


def test_the_resource_yields_a_client_that_reads(sandbox: Sandbox) -> None:
    """Dagster does this for each run."""
    seen: list[NetSuiteClient] = []

    @dg.asset
    def reading(netsuite: dg.ResourceParam[NetSuiteClient]) -> None:
        seen.append(netsuite)
        assert netsuite.suiteql(COUNT) == [{"n": "0"}]

    result = dg.materialize([reading], resources={"netsuite": NetSuiteResource(sandbox=str(sandbox.folder))})

    assert result.success
    assert isinstance(seen[0], NetSuiteClient)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {},
            (
                "not configured: set NETSUITE_ACCOUNT, NETSUITE_CLIENT_ID, NETSUITE_CERTIFICATE_ID,"
                " NETSUITE_PRIVATE_KEY_FILE"
            ),
        ),
        ({"auth": "tba", "account": "1"}, "not configured: set NETSUITE_CONSUMER_KEY"),
        ({"auth": "password"}, "oauth2, tba"),
        (
            {"account": "1", "client_id": "a", "certificate_id": "b", "private_key_file": "/nowhere/key.pem"},
            "NETSUITE_PRIVATE_KEY_FILE: No such file",
        ),
    ],
)
def test_missing_keys_are_reported_before_anything_is_sent(fields: dict[str, str], text: str) -> None:
    """All missing keys are listed at once, and only the steps that call NetSuite fail."""
    with open_netsuite(**fields) as client, pytest.raises(CredentialsError, match=text):
        client.server_time()


def test_the_base_url_is_derived_from_the_account() -> None:
    """The host has lower case and a hyphen, the realm upper case and an underscore."""
    assert base_url_of("1234567_SB1") == "https://1234567-sb1.suitetalk.api.netsuite.com"
