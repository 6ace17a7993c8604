"""The resource before the sandbox: both ways to sign in, and what a wrong key looks like."""

import json
from typing import Any

import dagster as dg
import pytest

from resources.errors import CredentialsError
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.resource import NetSuiteResource, host_of, open_netsuite
from resources.sandbox.world import Sandbox

COUNT = "select count(*) as n from customer c"


def spoil(sandbox: Sandbox, **values: Any) -> None:
    """Give the client other keys than the stand-in knows."""
    sandbox.netsuite  # noqa: B018: it takes the right ones first
    path = sandbox.folder / "credentials.json"
    kept = json.loads(path.read_text())
    kept["netsuite"].update(values)
    path.write_text(json.dumps(kept))


@pytest.mark.parametrize("auth", ["oauth2", "tba"])
def test_both_ways_to_sign_in_work(sandbox: Sandbox, auth: str) -> None:
    """Token-based sign-in ends with release 2028.1; until then people have it."""
    sandbox.netsuite.insert("customer", [{"id": 1}])

    with open_netsuite(sandbox=str(sandbox.folder), auth=auth) as client:
        assert client.suiteql(COUNT) == [{"n": "1"}]


@pytest.mark.parametrize("seconds", [1800, 4000, 90_000])
def test_a_session_outlives_its_token(sandbox: Sandbox, seconds: int) -> None:
    """Tokens live an hour, a backfill may take longer."""
    with open_netsuite(sandbox=str(sandbox.folder)) as client:
        client.suiteql(COUNT)
        sandbox.clock.sleep(seconds)

        assert client.suiteql(COUNT) == [{"n": "0"}]


@pytest.mark.parametrize(("auth", "key"), [("tba", "token_secret"), ("tba", "consumer_key"), ("oauth2", "client_id")])
def test_a_wrong_key_says_what_to_do_and_names_no_secret(sandbox: Sandbox, auth: str, key: str) -> None:
    """A person must act: the error is no reason to try again."""
    secret = "0" * 63 + "1"
    with open_netsuite(**_keys(sandbox, auth, **{key: secret})) as client:
        with pytest.raises(CredentialsError, match="Login Audit Trail") as raised:
            _ = client.server_time(), client.suiteql(COUNT)

        assert secret not in str(raised.value)


def test_the_resource_vends_a_client_that_reads(sandbox: Sandbox) -> None:
    """As Dagster does it for a run."""
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
        ({}, "not configured: account, client_id, certificate_id, private_key_file"),
        ({"auth": "tba", "account": "1"}, "not configured: consumer_key"),
        ({"auth": "password"}, "oauth2, tba"),
        (
            {"account": "1", "client_id": "a", "certificate_id": "b", "private_key_file": "/nowhere/key.pem"},
            "private key file: No such file",
        ),
    ],
)
def test_a_missing_key_is_told_before_anything_is_sent(fields: dict[str, str], text: str) -> None:
    """All missing ones at once, not one a run."""
    with pytest.raises(CredentialsError, match=text), open_netsuite(**fields):
        pass


def test_the_host_follows_from_the_account() -> None:
    """Lower case and a hyphen in the host, upper case and an underscore in the realm."""
    assert host_of("1234567_SB1") == "https://1234567-sb1.suitetalk.api.netsuite.com"


def _keys(sandbox: Sandbox, auth: str, **changes: str) -> dict[str, Any]:
    return {"sandbox": str(sandbox.folder), "auth": auth, **changes}
