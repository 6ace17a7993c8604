"""Unusable responses: a write is then uncertain, a read is repeated."""

import pytest

from resources.errors import (
    AnswerLostError,
    ContractError,
    CredentialsError,
    IntegrationError,
    QuotaExhaustedError,
    TransientError,
)
from resources.http import HttpClient
from resources.http_pool import open_http
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.sandbox import BASE_URLS, Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.sandbox.transport import Request, Response, SandboxTransport
from resources.suiteprojects.auth import TokenSignIn
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects
from resources.suiteprojects.xml import Element, command, object_element

UNUSABLE = [FaultKind.TRUNCATED, FaultKind.HTML, FaultKind.EMPTY]


def add(*names: str) -> list[Element]:
    """Return an upsert for each name."""
    attributes = {"type": "Customer", "lookup": "externalid"}
    return [command("Add", attributes, object_element("Customer", {"externalid": n, "name": n})) for n in names]


@pytest.mark.parametrize(
    "kind", [*UNUSABLE, FaultKind.LOST, FaultKind.CUT, FaultKind.APPLIED_500, FaultKind.NOT_APPLIED_500]
)
def test_a_write_without_a_usable_response_is_uncertain(
    sandbox: Sandbox, client: SuiteProjectsClient, kind: FaultKind
) -> None:
    """It is neither repeated blindly nor taken as done."""
    sandbox.faults.plan("suiteprojects", Fault(kind))

    with pytest.raises(AnswerLostError):
        client.execute(add("1", "2"))

    assert client.calls == 1


@pytest.mark.parametrize("kind", [*UNUSABLE, FaultKind.LOST, FaultKind.CUT, FaultKind.NOT_APPLIED_500])
def test_a_read_is_repeated(sandbox: Sandbox, client: SuiteProjectsClient, kind: FaultKind) -> None:
    """Reading twice does no harm."""
    sandbox.suiteprojects.add("Customer", name="A")
    sandbox.faults.plan("suiteprojects", Fault(kind, times=2))

    assert [record["name"] for record in client.read_all("Customer", ["name"])] == ["A"]


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_read_that_stays_unusable_is_not_an_empty_list(
    sandbox: Sandbox, client: SuiteProjectsClient, kind: FaultKind
) -> None:
    """A maintenance page must not look like an account without customers."""
    sandbox.faults.plan("suiteprojects", Fault(kind, times=99))

    with pytest.raises(ContractError):
        list(client.read_all("Customer", ["name"]))


class FixedResponse:
    """A service that always returns the same response."""

    def __init__(self, body: str) -> None:
        self._body = body

    def handle(self, _request: Request) -> Response:
        """Return it."""
        return Response(200, self._body.encode())


@pytest.mark.parametrize(
    "blocks",
    [
        "",
        '<Auth status="0"/>',
        '<Auth status="0"/><Add status="0"/>',
        '<Auth status="0"/><Add status="0"/><Add status="0"/><Add status="0"/>',
        '<Auth status="0"/><Add status="0"/><Read status="0"/>',
        '<Auth status="0"/><Add status="0"/><Add/>',
        '<Auth status="0"/><Add status="0"/><Add status="ok"/>',
        '<Auth/><Add status="0"/><Add status="0"/>',
        '<Add status="0"/><Add status="0"/><Auth status="0"/>',
    ],
)
def test_every_command_needs_its_block(sandbox: Sandbox, blocks: str) -> None:
    """Only their position identifies blocks, so a missing, extra or moved one makes the response unusable."""
    transport = SandboxTransport(FixedResponse(f"<response>{blocks}</response>"))
    with open_http(BASE_URLS["suiteprojects"], transport=transport) as pool:
        http = HttpClient(pool, system="suiteprojects", clock=sandbox.clock)
        client = SuiteProjectsClient(http, namespace="n", key="k", sign_in=TokenSignIn("t"), clock=sandbox.clock)

        with pytest.raises(AnswerLostError):
            client.execute(add("1", "2"))


def test_unusual_spacing_is_valid_xml(sandbox: Sandbox) -> None:
    """Oracle's own sample looks like this (§1.1)."""
    body = '<?xml version="1.0" standalone="yes"?><response><Auth status = "0"></Auth ><Time status= " 0 "/></response>'
    with open_http(BASE_URLS["suiteprojects"], transport=SandboxTransport(FixedResponse(body))) as pool:
        http = HttpClient(pool, system="suiteprojects", clock=sandbox.clock)
        client = SuiteProjectsClient(http, namespace="n", key="k", sign_in=TokenSignIn("t"), clock=sandbox.clock)

        assert len(client.execute([command("Time")])) == 1


@pytest.mark.parametrize("wrong", [{"password": "no"}, {"key": "no"}, {"namespace": "no"}, {"access_token": "no"}])
def test_a_rejected_sign_in_names_the_fix(sandbox: Sandbox, wrong: dict[str, str]) -> None:
    """It is tried once, not until the user is locked, for writes and for reads."""
    with open_suiteprojects(sandbox=str(sandbox.folder), **wrong) as client:
        with pytest.raises(CredentialsError) as raised:
            client.execute(add("1"))
        assert client.calls == 1
        with pytest.raises(CredentialsError):
            list(client.read_all("Customer", ["name"]))
        assert client.calls == 1 + 1

    assert "status" in str(raised.value)
    assert sandbox.credentials["suiteprojects"]["password"] not in str(raised.value)
    assert sandbox.suiteprojects.rows("Customer") == []


@pytest.mark.parametrize("setting", ["password", "key", "namespace", "access_token"])
def test_a_credential_with_a_control_character_is_named(sandbox: Sandbox, setting: str) -> None:
    """XML cannot represent it; it is not quoted."""
    with open_suiteprojects(sandbox=str(sandbox.folder), **{setting: "secret\x01word"}) as client:
        with pytest.raises(CredentialsError, match="characters that cannot be sent") as raised:
            client.server_time()
        assert client.calls == 0

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("status", [401, 410, 412, 413, 416, 417, 420, 426, 506])
def test_auth_statuses_are_credentials_errors(sandbox: Sandbox, client: SuiteProjectsClient, status: int) -> None:
    """Only a person can fix these."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, auth_status=status)

    with pytest.raises(CredentialsError):
        client.server_time()


@pytest.mark.parametrize("status", [414, 419])
def test_a_service_that_is_down_is_transient(sandbox: Sandbox, client: SuiteProjectsClient, status: int) -> None:
    """It is called several times, then the run ends; nothing was written."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, auth_status=status)

    with pytest.raises(TransientError) as raised:
        client.execute(add("1"))

    assert not isinstance(raised.value, AnswerLostError)
    assert client.calls == 4


def test_the_limit_per_minute_is_waited_out(sandbox: Sandbox, client: SuiteProjectsClient) -> None:
    """556 is the status of Auth, so nothing was done and sending again is safe."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_minute=1)
    client.execute(add("1"))
    began = sandbox.clock.now()

    client.execute(add("2"))

    assert (sandbox.clock.now() - began).total_seconds() >= 60
    assert len(sandbox.suiteprojects.rows("Customer")) == 2


def test_the_limit_per_day_ends_the_run(sandbox: Sandbox, client: SuiteProjectsClient) -> None:
    """After some minutes waiting does not help."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_day=1)
    client.execute(add("1"))

    with pytest.raises(QuotaExhaustedError):
        client.execute(add("2"))

    assert len(sandbox.suiteprojects.rows("Customer")) == 1


def test_no_error_contains_a_records_values(sandbox: Sandbox, client: SuiteProjectsClient) -> None:
    """Names are personal data; error texts contain only the operation."""
    sandbox.faults.plan("suiteprojects", Fault(FaultKind.LOST))

    with pytest.raises(IntegrationError) as raised:
        client.execute(add("Rosa Geheim"))

    assert "Rosa" not in str(raised.value)
    assert str(raised.value).startswith("suiteprojects: Add: ")
