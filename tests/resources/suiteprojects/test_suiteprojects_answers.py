"""The small answers of SuiteProjects Pro in any form: user, time, requests left, tokens, failed requests."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from resources.errors import (
    ContractError,
    CredentialsError,
    QuotaExhaustedError,
    RequestRejectedError,
    TransientError,
)
from resources.http import HttpClient
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.auth import UNKNOWN_LIFE_S, Application, PasswordSignIn, RefreshingSignIn
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.doctor import diagnose_suiteprojects
from resources.suiteprojects.responses import is_id
from resources.suiteprojects.tokens import TokenFile
from resources.suiteprojects.xml import command, parse_xml, record_of
from tests.resources.altered import suiteprojects_with


def replacing(pattern: str, by: str) -> Any:
    """Return a change of responses."""
    return lambda body: re.sub(pattern.encode(), by.encode(), body, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("number", "left"),
    [
        ("<remain_24h_error>99949</remain_24h_error>", 99949),
        ("<remain_24h_error> 99949.0 </remain_24h_error>", 99949),
        ("<remain_24h_error>-3</remain_24h_error>", 0),
        ("<remain_24h_error>unlimited</remain_24h_error>", None),
        ("<remain_24h_error>²</remain_24h_error>", None),
        ("<remain_24h_error/>", None),
        ("<other>1</other>", None),
        ("", None),
    ],
)
def test_requests_left_in_any_form_are_read(sandbox: Sandbox, number: str, left: int | None) -> None:
    """An unknown number stops neither the doctor nor a run."""
    change = replacing("<remain_24h_error>.*?</remain_24h_error>", number)

    with suiteprojects_with(sandbox, change) as client:
        assert client.remaining_today() == left
        assert list(client.read_all("Customer", ["name"])) == []
        (requests,) = (each for each in diagnose_suiteprojects(client, {}) if each.check == "requests")
    assert requests.passed is (left is None or left > 200)


@pytest.mark.parametrize("status", [2, 9, 401, 411, 416, 418, 420, 507])
@pytest.mark.parametrize("block", ["Auth", "Read"])
def test_deleted_records_are_not_none_after_a_rejected_sign_in(sandbox: Sandbox, status: int, block: str) -> None:
    """A record that is deleted would count as hidden, and the user may be locked by another attempt."""
    with suiteprojects_with(sandbox, replacing(f'<{block} status="[^"]*"', f'<{block} status="{status}"')) as client:
        with pytest.raises(CredentialsError, match=f"status {status}: "):
            client.deleted_ids("Customer")

        assert client.calls == 1


@pytest.mark.parametrize("status", [10, 427, 601, 910, 999])
def test_a_status_of_auth_says_nothing_of_deleted_records(sandbox: Sandbox, status: int) -> None:
    """Whatever its number: no Read was answered. The error says what to do about one that is not documented."""
    change, advice = replacing('<Auth status="[^"]*"', f'<Auth status="{status}"'), f"status {status}: .*; look up"
    with suiteprojects_with(sandbox, change) as client, pytest.raises(RequestRejectedError, match=advice):
        client.deleted_ids("Customer")


@pytest.mark.parametrize("inside", ["<customer><id>1</id></customer>", "<Wait>5</Wait>"])
def test_a_read_with_something_else_than_records_is_not_empty(sandbox: Sandbox, inside: str) -> None:
    """Every record would count as deleted in the target."""
    change = replacing("<Read .*?(/>|</Read>)", f'<Read status="0">{inside}</Read>')
    with suiteprojects_with(sandbox, change) as client, pytest.raises(ContractError):
        list(client.read_all("Customer", ["name"]))


@pytest.mark.parametrize(
    ("declared", "encoding"), [("ISO-8859-1", "latin-1"), ("windows-1252", "cp1252"), ("x-unknown", "utf-8")]
)
def test_a_repaired_response_is_read_in_its_own_encoding(declared: str, encoding: str) -> None:
    """One bare ampersand does not change the other values, even if two letters look like one of UTF-8."""
    text = f'<?xml version="1.0" encoding="{declared}"?><response><name>A & Ã¶å</name></response>'

    assert parse_xml(text.encode(encoding)).findtext("name") == "A & Ã¶å"


def test_an_id_of_any_length_is_one() -> None:
    """Python converts no number of more than 4300 digits."""
    assert is_id("7" * 5000)
    assert not is_id("000")


@pytest.mark.parametrize("status", [10, 424, 425, 602])
def test_a_service_that_does_not_list_deleted_records_says_so(sandbox: Sandbox, status: int) -> None:
    """Its answer is about what was asked, and not about the sign-in."""
    with suiteprojects_with(sandbox, replacing('<Read status="[^"]*"', f'<Read status="{status}"')) as client:
        assert client.deleted_ids("Customer") == set()


@pytest.mark.parametrize(
    "user", ["<User><id>7</id></User>", "<User><id/></User>", "<User/>", "", "<x/><User><id>7</id></User>"]
)
def test_the_user_in_any_form_is_read(sandbox: Sandbox, user: str) -> None:
    """The status says whether the sign-in worked; the id is for people."""
    with suiteprojects_with(sandbox, replacing("<User>.*</User>", user)) as client:
        assert all(each.passed for each in diagnose_suiteprojects(client, {}))


@pytest.mark.parametrize(
    ("date", "text"),
    [
        ("<Date><year>2026</year><month>3</month><day>9</day><hour>1</hour></Date>", "2026-03-09 01:00:00"),
        (
            "<Date><timezone>-0500</timezone><year> 2026 </year><month>03</month><day>09</day><new/></Date>",
            "2026-03-09",
        ),
        ("<Date><year/><month/><day/></Date>", None),
        ("<Date><year>0000</year><month>00</month><day>00</day></Date>", None),
        ("<Date/>", None),
        ("", None),
    ],
)
def test_the_time_in_any_form_is_read(sandbox: Sandbox, date: str, text: str | None) -> None:
    """Parts in any order, with or without zeros, or missing."""
    with suiteprojects_with(sandbox, replacing("<Date>.*</Date>", date)) as client:
        if text:
            assert client.server_time() == text
        else:
            with pytest.raises(ContractError):
                client.server_time()


@pytest.mark.parametrize(
    ("xml", "record"),
    [
        ("<A><name>x</name><name/></A>", {"name": "x"}),
        ("<A><name/><name>x</name></A>", {"name": "x"}),
        ("<A><name>x</name><name>y</name></A>", {"name": "x"}),
        ("<A><id> 7 </id></A>", {"id": "7"}),
        ("<A><external_id>7</external_id></A>", {"external_id": "7", "externalid": "7"}),
        ("<A><externalid/><external_id>7</external_id></A>", {"external_id": "7", "externalid": "7"}),
        ("<A><externalid>8</externalid><external_id>7</external_id></A>", {"external_id": "7", "externalid": "8"}),
        ("<A><addr/></A>", {}),
        ("<A><addr><Address/></addr></A>", {}),
        ("<A><addr><Address><city>X</city></Address></addr><addr><Address><zip>1</zip><city/></Address></addr></A>",
         {"addr_city": "X", "addr_zip": "1"}),
        ("<A><flags><flag>1</flag></flags></A>", {"flags": "<flag>1</flag>"}),
        ("<A><name>one<br/>two &amp; <b>three</b></name></A>", {"name": "one<br/>two & <b>three</b>"}),
        ("<A><name><b>x</b></name></A>", {"name": "<b>x</b>"}),
        ("<A xmlns:x='urn:x'><name>one<br/>two <i x:y='1'>three</i></name></A>",
         {"name": 'one<br/>two <i xmlns:x="urn:x" x:y="1">three</i>'}),
        ("<A><name>a<!-- b -->c<?d e?><![CDATA[<f>&]]></name></A>", {"name": "ac<f>&"}),
        ("<!DOCTYPE A [<!ENTITY co 'x'>]><A><name>one &co; two</name></A>", {"name": "one &co; two"}),
        ("<A><addr><Address><city>X<br/>Y</city></Address></addr></A>", {"addr_city": "X<br/>Y"}),
        ("<A/>", {}),
    ],
)  # fmt: skip
def test_a_record_in_any_form_is_read(xml: str, record: dict[str, str | None]) -> None:
    """Repeated elements, other spellings, containers that are unknown or empty, markup: a value is never cut."""
    element = parse_xml(xml.encode())
    assert record_of(element) == record
    assert record_of(element, tuple(record)) == record
    for name, value in record.items():
        assert record_of(element, (name,))[name] == value
    assert not record or not record_of(element, ("another",))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"<A><name>J\xc3\xb6rg</name></A>", "Jörg"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><A><name>J\xc3\xb6rg</name></A>", "Jörg"),
        (b"\r\n <?xml version='1.0'?><A><name>x</name></A>\n", "x"),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?><A><name>J\xf6rg</name></A>", "Jörg"),
        (b"<?xml version='1.0' standalone='yes'?><A><name>J\xf6rg</name></A>", "Jörg"),
        (b"\r\n \xef\xbb\xbf\n<?xml version='1.0'?><A><name>J\xc3\xb6rg</name></A>", "Jörg"),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?><A><name>5 \x80 \x96 \x81</name></A>", "5 € \u2013 \ufffd"),
        (b"<A><name>Andr\xe9\x92s</name></A>", "Andr\xe9\u2019s"),
        ("<A><name>Jörg\u0085</name></A>".encode(), "Jörg\u0085"),
        ("<?xml version='1.0' encoding='UTF-16'?><A><name>a & ö\x01</name></A>\n".encode("utf-16"), "a & ö�"),
        ("\ufeff<?xml version='1.0' encoding='UTF-16'?><A><name>ö</name></A>\n".encode("utf-16-be"), "ö"),
        ("<A><name>ö</name></A>\r\n".encode("utf-16-le"), "ö"),
        (b"<A><name>\xc3\xb6 and \xff</name></A>", "ö and �"),
        (b"<A><name>a\x01b</name></A>", "a�b"),
        (b"<A><name>a&#1;b&#x1F;c&#10;&#xe9;</name></A>", "a�b�c\né"),
        (b"<A><name>&#xD800;&#x110000;</name></A>", "��"),
        (b"<A><name>a\xef\xbf\xbfb</name></A>", "a�b"),
        (b"<A><name>AT&T & Co&unknown;</name></A>", "AT&T & Co&unknown;"),
        (b"<A><name>Ros&eacute;&nbsp;&LT;b&gt;&#233;&#x;</name></A>", "Rosé\xa0<b>é&#x;"),
        (b"<A><name>&hellip;<![CDATA[a&b]]></name></A>", "…a&b"),
    ],
)
def test_one_bad_character_does_not_hide_the_records(body: bytes, name: str) -> None:
    """In any character set of an account."""
    assert record_of(parse_xml(body)) == {"name": name}


@pytest.mark.parametrize("body", [b"", b"<A>", b"<A><name>x</A>", b"<A>a < b</A>", b"\x01", b"plain", b"<A/><B/>"])
def test_a_body_that_is_no_xml_is_not_repaired(body: bytes) -> None:
    """A cut one must not look like fewer records."""
    with pytest.raises(ValueError, match="not well-formed"):
        parse_xml(body)


TOKEN = {"access_token": "a2", "refresh_token": "r2", "expires_in": 3600}


@pytest.mark.parametrize(
    ("changes", "refresh_token", "life_s"),
    [
        ({}, "r2", 3600),
        ({"expires_in": "3600"}, "r2", 3600),
        ({"expires_in": None}, "r2", UNKNOWN_LIFE_S),
        ({"expires_in": ""}, "r2", UNKNOWN_LIFE_S),
        ({"expires_in": "soon"}, "r2", UNKNOWN_LIFE_S),
        ({"expires_in": [1]}, "r2", UNKNOWN_LIFE_S),
        ({"expires_in": 10**30}, "r2", 86_400),
        ({"expires_in": -5}, "r2", 0),
        ({"refresh_token": None}, "r1", 3600),
        ({"refresh_token": ""}, "r1", 3600),
        ({"token_type": "Bearer", "scope": ["xml"]}, "r2", 3600),
    ],
)
def test_a_refreshed_token_in_any_form_is_saved(
    sandbox: Sandbox, tmp_path: Path, changes: dict[str, Any], refresh_token: str, life_s: float
) -> None:
    """The old refresh token is spent by then: an unreadable lifetime must not lose the new one."""
    body = {**TOKEN, **changes}
    http = httpx.Client(
        base_url="https://s.example", transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    )
    file = TokenFile(tmp_path / "tokens.json")
    client = HttpClient(http, system="suiteprojects", clock=sandbox.clock)
    application = Application("id", "secret")
    began = sandbox.clock.now().timestamp()

    login = RefreshingSignIn(client, application, file, clock=sandbox.clock, refresh_token="r1").login()

    saved = json.loads(file.path.read_text())
    assert login.findtext("access_token") == saved["access_token"] == "a2"
    assert saved["refresh_token"] == refresh_token
    assert saved["expires_at"] - began == pytest.approx(life_s, abs=2)


@pytest.mark.parametrize("body", [[], {}, {"access_token": None}, {"access_token": ""}, {"access_token": 5}, "text"])
def test_an_answer_without_a_token_is_no_token(sandbox: Sandbox, tmp_path: Path, body: Any) -> None:
    """The word None signs nothing."""
    http = httpx.Client(
        base_url="https://s.example", transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    )
    client = HttpClient(http, system="suiteprojects", clock=sandbox.clock)
    sign_in = RefreshingSignIn(
        client, Application("id", "secret"), TokenFile(tmp_path / "t.json"), clock=sandbox.clock, refresh_token="r1"
    )

    with pytest.raises(ContractError, match="contains no tokens"):
        sign_in.login()


def answering_once(sandbox: Sandbox, *answers: httpx.Response) -> SuiteProjectsClient:
    """Return the real client of a service that gives these answers, then reaches the sandbox."""
    given = list(answers)
    inner = sandbox.transport("suiteprojects")

    def answer(request: httpx.Request) -> httpx.Response:
        return given.pop(0) if given else inner.handle_request(request)

    own = sandbox.credentials["suiteprojects"]
    http = httpx.Client(base_url="https://s.example", transport=httpx.MockTransport(answer))
    sign_in = PasswordSignIn(own["company"], own["user"], own["password"])
    client = HttpClient(http, system="suiteprojects", clock=sandbox.clock)
    return SuiteProjectsClient(client, namespace=own["namespace"], key=own["key"], sign_in=sign_in, clock=sandbox.clock)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(403, text="Request Limit Exceeded."),
        httpx.Response(400, text="The request timed out"),
        httpx.Response(429),
        httpx.Response(503, headers={"retry-after": "3"}),
        httpx.Response(200, text='<response><Auth status="1"/></response>'),
        httpx.Response(200, text='<response><Auth status="414"/></response>'),
    ],
)
def test_a_temporary_failure_is_retried(sandbox: Sandbox, answer: httpx.Response) -> None:
    """Whatever its status."""
    assert len(answering_once(sandbox, answer).execute([command("Time")])) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(403, text="Forbidden"), CredentialsError),
        (httpx.Response(200, text='<response><Auth status="1"/></response>'), TransientError),
        (httpx.Response(200, text='<response><Auth status="556"/></response>'), QuotaExhaustedError),
    ],
)
def test_a_lasting_failure_ends_the_run(sandbox: Sandbox, answer: httpx.Response, kind: type[Exception]) -> None:
    """By what to do about it."""
    with pytest.raises(kind):
        answering_once(sandbox, *[answer] * 20).execute([command("Time")])
