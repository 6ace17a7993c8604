"""Answers that are none: a write is then unknown, a read is asked again."""

import pytest

from resources.errors import (
    AnswerLostError,
    ContractError,
    CredentialsError,
    IntegrationError,
    QuotaExhaustedError,
    TransientError,
)
from resources.http import HttpClient, open_http
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.sandbox import BASE_URLS, Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.sandbox.transport import Answer, Call, SandboxTransport
from resources.suiteprojects.auth import TokenSignIn
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects
from resources.suiteprojects.xml import Element, command, object_element

SPOILED = [FaultKind.TRUNCATED, FaultKind.HTML, FaultKind.EMPTY]


def add(*names: str) -> list[Element]:
    """An upsert for each name."""
    attributes = {"type": "Customer", "lookup": "externalid"}
    return [command("Add", attributes, object_element("Customer", {"externalid": n, "name": n})) for n in names]


@pytest.mark.parametrize("kind", [*SPOILED, FaultKind.LOST, FaultKind.CUT, FaultKind.DONE_500, FaultKind.REFUSED_500])
def test_a_write_without_a_usable_answer_is_unknown(
    sandbox: Sandbox, client: SuiteProjectsClient, kind: FaultKind
) -> None:
    """It is never repeated blindly and never taken for done."""
    sandbox.faults.plan("suiteprojects", Fault(kind))

    with pytest.raises(AnswerLostError):
        client.execute(add("1", "2"))

    assert client.calls == 1


@pytest.mark.parametrize("kind", [*SPOILED, FaultKind.LOST, FaultKind.CUT, FaultKind.REFUSED_500])
def test_a_read_is_asked_again(sandbox: Sandbox, client: SuiteProjectsClient, kind: FaultKind) -> None:
    """Reading twice harms nobody."""
    sandbox.suiteprojects.add("Customer", name="A")
    sandbox.faults.plan("suiteprojects", Fault(kind, times=2))

    assert [record["name"] for record in client.read_all("Customer", ["name"])] == ["A"]


@pytest.mark.parametrize("kind", SPOILED)
def test_a_read_that_stays_unusable_is_no_empty_answer(
    sandbox: Sandbox, client: SuiteProjectsClient, kind: FaultKind
) -> None:
    """A maintenance page must not look like an account without customers."""
    sandbox.faults.plan("suiteprojects", Fault(kind, times=99))

    with pytest.raises(ContractError):
        list(client.read_all("Customer", ["name"]))


class Canned:
    """A service that always gives one answer."""

    def __init__(self, body: str) -> None:
        self._body = body

    def answer(self, _call: Call) -> Answer:
        """The one."""
        return Answer(200, self._body.encode())


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
    """Nothing but their place tells blocks apart, so a missing, extra or moved one spoils the answer."""
    transport = SandboxTransport(Canned(f"<response>{blocks}</response>"))
    with open_http(BASE_URLS["suiteprojects"], transport=transport) as pool:
        http = HttpClient(pool, system="suiteprojects", clock=sandbox.clock)
        client = SuiteProjectsClient(http, namespace="n", key="k", sign_in=TokenSignIn("t"), clock=sandbox.clock)

        with pytest.raises(AnswerLostError):
            client.execute(add("1", "2"))


def test_odd_spacing_is_still_xml(sandbox: Sandbox) -> None:
    """Oracle's own sample is written so (§1.1)."""
    body = '<?xml version="1.0" standalone="yes"?><response><Auth status = "0"></Auth ><Time status= " 0 "/></response>'
    with open_http(BASE_URLS["suiteprojects"], transport=SandboxTransport(Canned(body))) as pool:
        http = HttpClient(pool, system="suiteprojects", clock=sandbox.clock)
        client = SuiteProjectsClient(http, namespace="n", key="k", sign_in=TokenSignIn("t"), clock=sandbox.clock)

        assert len(client.execute([command("Time")])) == 1


@pytest.mark.parametrize("wrong", [{"password": "no"}, {"key": "no"}, {"namespace": "no"}, {"access_token": "no"}])
def test_a_refused_sign_in_tells_what_to_mend(sandbox: Sandbox, wrong: dict[str, str]) -> None:
    """And is tried once, not until the user is locked: to write as well as to read."""
    with open_suiteprojects(sandbox=str(sandbox.folder), **wrong) as client:
        with pytest.raises(CredentialsError) as refused:
            client.execute(add("1"))
        assert client.calls == 1
        with pytest.raises(CredentialsError):
            list(client.read_all("Customer", ["name"]))
        assert client.calls == 1 + 1

    assert "status" in str(refused.value)
    assert sandbox.credentials["suiteprojects"]["password"] not in str(refused.value)
    assert sandbox.suiteprojects.rows("Customer") == []


@pytest.mark.parametrize("status", [401, 410, 412, 413, 416, 417, 420, 426, 506])
def test_the_whole_family_is_about_credentials(sandbox: Sandbox, client: SuiteProjectsClient, status: int) -> None:
    """Nobody but a person can mend these."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, auth_status=status)

    with pytest.raises(CredentialsError):
        client.server_time()


@pytest.mark.parametrize("status", [414, 419])
def test_a_service_that_is_down_may_come_back(sandbox: Sandbox, client: SuiteProjectsClient, status: int) -> None:
    """It is asked some times, then the run ends; nothing was done."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, auth_status=status)

    with pytest.raises(TransientError) as refused:
        client.execute(add("1"))

    assert not isinstance(refused.value, AnswerLostError)
    assert client.calls == 4


def test_the_minutes_limit_is_waited_for(sandbox: Sandbox, client: SuiteProjectsClient) -> None:
    """556 is on Auth, so nothing was done and sending again is safe."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_minute=1)
    client.execute(add("1"))
    began = sandbox.clock.now()

    client.execute(add("2"))

    assert (sandbox.clock.now() - began).total_seconds() >= 60
    assert len(sandbox.suiteprojects.rows("Customer")) == 2


def test_the_days_limit_ends_the_run(sandbox: Sandbox, client: SuiteProjectsClient) -> None:
    """After some minutes it is clear that waiting does not help."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_day=1)
    client.execute(add("1"))

    with pytest.raises(QuotaExhaustedError):
        client.execute(add("2"))

    assert len(sandbox.suiteprojects.rows("Customer")) == 1


def test_no_error_tells_a_record(sandbox: Sandbox, client: SuiteProjectsClient) -> None:
    """Names are personal data; texts name the operation alone."""
    sandbox.faults.plan("suiteprojects", Fault(FaultKind.LOST))

    with pytest.raises(IntegrationError) as lost:
        client.execute(add("Rosa Geheim"))

    assert "Rosa" not in str(lost.value)
    assert str(lost.value).startswith("suiteprojects: Add: ")
