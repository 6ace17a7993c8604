"""Who may call the XML API, and how often."""

from collections.abc import Callable

import pytest
from lxml import etree

from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.sandbox.transport import Call

Talk = Callable[..., list[etree._Element]]

ADD = '<Add type="Customer"><Customer><name>A</name></Customer></Add>'


def statuses(blocks: list[etree._Element]) -> list[tuple[str, str]]:
    """Each block's name and status."""
    return [(str(block.tag), block.get("status", "")) for block in blocks]


def login(sandbox: Sandbox, **changed: str) -> str:
    """A Login by password with some parts changed."""
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
def test_a_password_signs_in(sandbox: Sandbox, talk: Talk, changed: dict[str, str], status: str) -> None:
    """Each missing part has its own number (§1.2)."""
    blocks = talk("<Time/>", auth=login(sandbox, **changed))

    assert statuses(blocks) == [("Auth", status), ("Time", "0" if status == "0" else "2")]


@pytest.mark.parametrize("spelling", ["API_version", "API_ver", "API_Ver"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_old_clients_spell_the_version_as_they_like(sandbox: Sandbox, talk: Talk, spelling: str, method: str) -> None:
    """Three spellings were seen in clients that worked (§1.2)."""
    key = sandbox.credentials["suiteprojects"]["key"]

    blocks = talk("", auth=login(sandbox), envelope=f'{spelling}="1.0" namespace="default" key="{key}"', method=method)

    assert statuses(blocks) == [("Auth", "0")]


@pytest.mark.parametrize(
    ("envelope", "status"),
    [('namespace="default"', "503"), ('key="{key}"', "504"), ('namespace="other" key="{key}"', "505")],
)
def test_key_and_namespace_are_checked(sandbox: Sandbox, talk: Talk, envelope: str, status: str) -> None:
    """Both are needed beside the password (§0)."""
    opening = envelope.format(key=sandbox.credentials["suiteprojects"]["key"])

    assert statuses(talk("", auth=login(sandbox), envelope=opening)) == [("Auth", status)]


def test_a_wrong_token_is_not_rescued_by_a_password(sandbox: Sandbox, talk: Talk) -> None:
    """Documented (§1.2)."""
    both = login(sandbox).replace("<company>", "<access_token>wrong</access_token><company>")

    blocks = talk("<Time/>", auth=both)

    assert statuses(blocks) == [("Auth", "9"), ("Time", "2")]
    assert blocks[0].text == "invalid access token"


def test_auth_must_come_first(talk: Talk) -> None:
    """Otherwise the rest fails, but a Read of Error needs no sign-in (§1.2)."""
    error = '<Read type="Error" method="equal to"><Error><code>824</code></Error></Read>'

    blocks = talk(error + ADD, auth="<Time/>")

    assert statuses(blocks) == [("Time", "2"), ("Read", "0"), ("Add", "2")]
    assert blocks[1].findtext("Error/text")


def test_time_is_eastern_with_its_offset(talk: Talk) -> None:
    """The sandbox begins on 16 November 06:00 UTC: 01:00 in New York (§5)."""
    (time,) = talk("<Time/>")

    assert (time.findtext("Date/hour"), time.findtext("Date/timezone")) == ("01", "-0500")


def test_the_daily_quota_counts_requests_not_records(sandbox: Sandbox, talk: Talk) -> None:
    """556 on Auth alone, nothing done; after a day the account may call again (§1.6)."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_day=2)
    talk(ADD * 3)
    (left,) = talk('<Read type="RateLimit" method="all" limit="1"/>')

    refused = talk(ADD, auth=login(sandbox))

    assert left.findtext("RateLimit/remain_24h_error") == "0"
    assert statuses(refused) == [("Auth", "556")]
    assert len(sandbox.suiteprojects.rows("Customer")) == 3
    sandbox.clock.sleep(86_401)
    assert statuses(talk("<Time/>")) == [("Time", "0")]


def test_the_minutes_quota_passes_with_the_minute(sandbox: Sandbox, talk: Talk) -> None:
    """Both windows are the account's (§1.6)."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_minute=1)
    talk("<Time/>")
    assert statuses(talk("<Time/>", auth=login(sandbox))) == [("Auth", "556")]

    sandbox.clock.sleep(61)

    assert statuses(talk("<Time/>")) == [("Time", "0")]


def test_more_than_a_thousand_objects_are_too_many(sandbox: Sandbox, talk: Talk) -> None:
    """1000 objects in one request is the limit, over all its commands (§1.6)."""
    assert [block.get("status") for block in talk(ADD * 1000)] == ["0"] * 1000

    assert statuses(talk(ADD * 1001, auth=login(sandbox)))[0] == ("Auth", "555")
    assert len(sandbox.suiteprojects.rows("Customer")) == 1000


def test_a_body_that_is_not_xml_is_refused(sandbox: Sandbox) -> None:
    """The service must not fall over."""
    answer = sandbox.suiteprojects.answer(Call("POST", "http://x/api.pl", {}, b"<request"))

    assert b'<Auth status="10">' in answer.body


def test_the_log_tells_reads_from_writes(sandbox: Sandbox, talk: Talk) -> None:
    """So that "a second run writes nothing" can be proved."""
    talk("<Time/>")
    talk(ADD * 2)

    assert (sandbox.suiteprojects.calls_made(), sandbox.suiteprojects.write_calls()) == (2, 1)
    assert sandbox.suiteprojects.call_log()[-1]["commands"] == "Auth,Add*2"
