"""Authentication and quotas of the XML API."""

from collections.abc import Callable

import pytest
from lxml import etree

from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.sandbox.transport import Request

Send = Callable[..., list[etree._Element]]

ADD = '<Add type="Customer"><Customer><name>A</name></Customer></Add>'


def statuses(blocks: list[etree._Element]) -> list[tuple[str, str]]:
    """Return the name and status of each block."""
    return [(str(block.tag), block.get("status", "")) for block in blocks]


def login(sandbox: Sandbox, **changed: str) -> str:
    """Return a Login by password with some parts changed."""
    own = {**sandbox.credentials["suiteprojects"], **changed}
    parts = "".join(f"<{name}>{own[name]}</{name}>" for name in ("company", "user", "password"))
    return f"<Auth><Login>{parts}</Login></Auth>"


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, "0"),
        ({"password": "no"}, "401"),
        ({"company": ""}, "403"),
        ({"user": ""}, "404"),
        ({"password": ""}, "405"),
    ],
)
def test_sign_in_by_password(sandbox: Sandbox, send: Send, changed: dict[str, str], status: str) -> None:
    """Each missing part has its own status (§1.2)."""
    blocks = send("<Time/>", auth=login(sandbox, **changed))

    assert statuses(blocks) == [("Auth", status), ("Time", "0" if status == "0" else "2")]


@pytest.mark.parametrize("spelling", ["API_version", "API_ver", "API_Ver"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_the_version_attribute_has_several_spellings(sandbox: Sandbox, send: Send, spelling: str, method: str) -> None:
    """Three spellings were found in working clients (§1.2)."""
    key = sandbox.credentials["suiteprojects"]["key"]

    blocks = send("", auth=login(sandbox), envelope=f'{spelling}="1.0" namespace="default" key="{key}"', method=method)

    assert statuses(blocks) == [("Auth", "0")]


@pytest.mark.parametrize(
    ("envelope", "status"),
    [('namespace="default"', "503"), ('key="{key}"', "504"), ('namespace="other" key="{key}"', "505")],
)
def test_key_and_namespace_are_checked(sandbox: Sandbox, send: Send, envelope: str, status: str) -> None:
    """Both are required beside the password (§0)."""
    opening = envelope.format(key=sandbox.credentials["suiteprojects"]["key"])

    assert statuses(send("", auth=login(sandbox), envelope=opening)) == [("Auth", status)]


def test_a_wrong_token_is_rejected_despite_a_valid_password(sandbox: Sandbox, send: Send) -> None:
    """Documented (§1.2)."""
    both = login(sandbox).replace("<company>", "<access_token>wrong</access_token><company>")

    blocks = send("<Time/>", auth=both)

    assert statuses(blocks) == [("Auth", "9"), ("Time", "2")]
    assert blocks[0].text == "invalid access token"


def test_auth_must_be_the_first_command(send: Send) -> None:
    """Otherwise the other commands fail, but a Read of Error needs no sign-in (§1.2)."""
    error = '<Read type="Error" method="equal to"><Error><code>824</code></Error></Read>'

    blocks = send(error + ADD, auth="<Time/>")

    assert statuses(blocks) == [("Time", "2"), ("Read", "0"), ("Add", "2")]
    assert blocks[1].findtext("Error/text")


def test_time_is_eastern_with_its_offset(send: Send) -> None:
    """The sandbox's clock starts on November 16, 06:00 UTC: 01:00 in New York (§5)."""
    (time,) = send("<Time/>")

    assert (time.findtext("Date/hour"), time.findtext("Date/timezone")) == ("01", "-0500")


def test_the_daily_quota_counts_requests_not_records(sandbox: Sandbox, send: Send) -> None:
    """Beyond it, Auth returns 556 and nothing is executed; after a day requests are accepted again (§1.6)."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_day=2)
    send(ADD * 3)
    (left,) = send('<Read type="RateLimit" method="all" limit="1"/>')

    rejected = send(ADD, auth=login(sandbox))

    assert left.findtext("RateLimit/remain_24h_error") == "0"
    assert statuses(rejected) == [("Auth", "556")]
    assert len(sandbox.suiteprojects.rows("Customer")) == 3
    sandbox.clock.sleep(86_401)
    assert statuses(send("<Time/>")) == [("Time", "0")]


def test_the_quota_per_minute_ends_after_a_minute(sandbox: Sandbox, send: Send) -> None:
    """Both quotas are per account (§1.6)."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_minute=1)
    send("<Time/>")
    assert statuses(send("<Time/>", auth=login(sandbox))) == [("Auth", "556")]

    sandbox.clock.sleep(61)

    assert statuses(send("<Time/>")) == [("Time", "0")]


def test_more_than_1000_objects_are_rejected(sandbox: Sandbox, send: Send) -> None:
    """The limit is 1000 records per request, over all commands (§1.6)."""
    assert [block.get("status") for block in send(ADD * 1000)] == ["0"] * 1000

    assert statuses(send(ADD * 1001, auth=login(sandbox)))[0] == ("Auth", "555")
    assert len(sandbox.suiteprojects.rows("Customer")) == 1000


def test_a_body_that_is_not_xml_is_rejected(sandbox: Sandbox) -> None:
    """The service must not fail."""
    response = sandbox.suiteprojects.handle(Request("POST", "http://x/api.pl", {}, b"<request"))

    assert b'<Auth status="10">' in response.body


def test_the_call_log_distinguishes_reads_from_writes(sandbox: Sandbox, send: Send) -> None:
    """It proves that a second run writes nothing."""
    send("<Time/>")
    send(ADD * 2)

    assert (sandbox.suiteprojects.calls_made(), sandbox.suiteprojects.write_calls()) == (2, 1)
    assert sandbox.suiteprojects.call_log()[-1]["commands"] == "Auth,Add*2"
