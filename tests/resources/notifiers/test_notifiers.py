"""Alerts to a webhook, Slack and a mailbox; each on a server of this machine."""

import hmac
import json
import socket
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import chain, repeat
from pathlib import Path
from time import sleep

import pytest

from resources.notifiers import time_limit
from resources.notifiers.mail import Mail
from resources.notifiers.notice import Entry, Notice, NotSentError, Receiver
from resources.notifiers.web import MAX_SLACK_TEXT, Slack, Webhook
from resources.sandbox.certificates import tls_files
from tests.resources.notifiers.servers import http_server, notice, smtp_server
from tests.resources.raw_server import raw_server

KEY = "a-shared-key"


def test_a_webhook_receives_json_that_it_can_verify() -> None:
    """The signature covers time and body, so neither can be changed or replayed later."""
    with http_server() as server:
        Webhook(server.url, KEY).send(notice())
    headers, body = server.got[0]
    seconds, digest = (part.partition("=")[2] for part in headers["x-millpond-signature"].split(","))

    content = json.loads(body)
    assert (content["title"], content["entries"][0]["cause"]) == ("Millpond: 1 failed", "netsuite: HTTP <503> & more")
    assert headers["x-millpond-notice"] == content["notice_id"] == "n1"
    assert digest == hmac.new(KEY.encode(), f"{seconds}.".encode() + body, sha256).hexdigest()
    assert hmac.new(b"another", f"{seconds}.".encode() + body, sha256).hexdigest() != digest


def test_without_a_key_nothing_is_signed() -> None:
    """The key is optional."""
    with http_server() as server:
        Webhook(server.url).send(notice())

    assert "x-millpond-signature" not in server.got[0][0]


def test_slack_receives_one_escaped_text() -> None:
    """`<!channel>` in a reason would notify the whole channel."""
    with http_server() as server:
        Slack(server.url, "127.0.0.1").send(notice(title="Millpond: <!channel> failed"))
    content = json.loads(server.got[0][1])

    assert set(content) == {"text"}
    assert content["text"].startswith("*Millpond: &lt;!channel&gt; failed*\n")
    assert "customers, projects" in content["text"]
    assert "<" not in content["text"]


def test_slack_gets_whole_lines_and_the_number_of_the_others() -> None:
    """Half an address of a record leads to another record."""
    address = "https://1234567.app.netsuite.com/app/common/entity/custjob.nl?id="
    lines = [f"customer {number} A & B {address}{number}" for number in range(100_000, 100_060)]
    long = Notice("n1", "now", "Title", [Entry("k", "opened", "held back", "x", (), lines)], "https://ui.example")
    with http_server() as server:
        Slack(server.url, "127.0.0.1").send(long)
    shown = json.loads(server.got[0][1])["text"].splitlines()

    assert len("\n".join(shown)) <= MAX_SLACK_TEXT
    records, (rest, link) = [each.strip().replace("&amp;", "&") for each in shown[2:-2]], shown[-2:]
    assert records == lines[: len(records)]
    assert rest == f"… and {len(lines) - len(records)} more lines"
    assert link == "https://ui.example"


def test_a_name_can_neither_look_like_another_line_nor_turn_the_direction() -> None:
    """In NetSuite anyone may type it; the digest and the alerts quote it."""
    name = "Acme\r\nfailed: sign in at evil.example\u202etxt\x1b[2J"
    entry = Entry("k", "opened", "held back", f"2 customers: {name}", (name,), (f"customer 7 {name}",))
    text = Notice("n1", "2026-11-17 06:00 UTC", f"Millpond: {name}", [entry]).text

    shown = "Acme⏎failed: sign in at evil.example⟨U+202E⟩txt⟨U+001B⟩[2J"
    assert text.splitlines() == [f"held back: 2 customers: {shown}", f"    {shown}", f"    customer 7 {shown}"]


@pytest.mark.parametrize(("status", "location"), [(500, ""), (404, ""), (302, "http://127.0.0.1:9/elsewhere")])
def test_an_error_does_not_contain_the_url(status: int, location: str) -> None:
    """Webhook URLs are secrets; a redirect could lead anywhere and is not followed."""
    with http_server() as server:
        server.status, server.location = status, location
        with pytest.raises(NotSentError) as raised:
            Webhook(server.url).send(notice())

    assert str(raised.value) == f"webhook: HTTP {status}"
    assert len(server.got) == 1


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: Webhook("https://[path"), "MILLPOND_ALERT_WEBHOOK_URL is not a valid URL"),
        (lambda: Webhook("http://example.com/x"), "MILLPOND_ALERT_WEBHOOK_URL must begin with https://"),
        (lambda: Slack("https://evil.example/services/T/B"), "must be a URL on hooks.slack.com"),
        (lambda: Slack("https://hooks.slack.com.evil.example/x"), "must be a URL on hooks.slack.com"),
        (lambda: Mail("smtp.example", "", ("a@example.com",)), "MILLPOND_ALERT_MAIL_FROM"),
        (lambda: Mail("smtp.example", "a@example.com", ()), "MILLPOND_ALERT_MAIL_TO"),
        (lambda: Mail("smtp.example", "a@example.com", ("b@example.com\nBcc: c@example.com",)), "on one line"),
        (lambda: Mail("smtp.example", "a@example.com\r\nBcc: c@example.com", ("b@example.com",)), "on one line"),
        (
            lambda: Mail("smtp.example", "a@example.com", ("b@example.com",), tls="none", user="me", password="x"),
            "a password is sent over TLS only",
        ),
    ],
)
def test_an_unsafe_setting_is_rejected(build: object, text: str) -> None:
    """It is rejected before anything is sent; the text names the setting, not its value."""
    assert callable(build)
    with pytest.raises(ValueError, match=text) as raised:
        build()

    assert "/services/" not in str(raised.value)


@pytest.mark.parametrize("at_once", [False, True], ids=["starttls", "tls"])
def test_mail_is_sent_over_tls_with_sign_in(tmp_path: Path, *, at_once: bool) -> None:
    """Servers use either kind of TLS; all recipients get the mail."""
    files = tls_files(tmp_path)
    with smtp_server(files, at_once=at_once) as server:
        Mail(
            "localhost", "millpond@example.com", ("ops@example.com", "me@example.com"), server.port,
            "tls" if at_once else "starttls", "integration", "a password", str(files.ca),
        ).send(notice(title="Millpond:\r\nBcc: all@example.com"))  # fmt: skip
    (mail,) = server.mails

    assert server.secured == [True]
    assert b64decode(server.signed_in[0]).decode() == "\0integration\0a password"
    assert server.recipients == ["ops@example.com", "me@example.com"]
    assert mail["Subject"] == "Millpond: Bcc: all@example.com"
    assert mail["Bcc"] is None
    assert mail["Message-ID"] == "<n1@millpond>"
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert "failed: netsuite: HTTP <503> & more" in body.decode()


def test_mail_is_not_sent_to_an_untrusted_server(tmp_path: Path) -> None:
    """The certificate is not trusted: the password is not sent."""
    with smtp_server(tls_files(tmp_path)) as server:
        mail = Mail("localhost", "a@example.com", ("b@example.com",), server.port, user="me", password="secret")
        with pytest.raises(NotSentError, match=r"^mail: SSLCertVerificationError"):
            mail.send(notice())

    assert server.signed_in == []
    assert server.mails == []


def test_a_server_without_encryption_is_reported_with_the_setting() -> None:
    """The default is STARTTLS, which a server inside a company often does not offer."""
    with smtp_server() as server, pytest.raises(NotSentError, match="does not offer STARTTLS; set MILLPOND_ALERT_MAIL"):
        Mail("127.0.0.1", "a@example.com", ("b@example.com",), server.port).send(notice())

    assert server.mails == []


def test_a_rejected_recipient_is_reported_without_the_address() -> None:
    """Addresses are personal data; the server's text repeats them."""
    with smtp_server() as server:
        server.rejects = "ops@example.com"
        with pytest.raises(NotSentError) as raised:
            Mail("127.0.0.1", "a@example.com", ("ops@example.com",), server.port, "none").send(notice())

    assert "example.com" not in str(raised.value)
    assert str(raised.value).startswith("mail: SMTPRecipientsRefused")


def dead_port() -> int:
    """Return a port on which no server listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "receiver",
    [
        Webhook(f"http://127.0.0.1:{dead_port()}/secret-path"),
        Slack(f"http://127.0.0.1:{dead_port()}/secret-path", "127.0.0.1"),
        Mail("127.0.0.1", "a@example.com", ("b@example.com",), dead_port()),
    ],
    ids=lambda receiver: receiver.name,
)
def test_an_unreachable_receiver_is_reported_by_name_only(receiver: Receiver) -> None:
    """The caller keeps the notice and sends it again later."""
    with pytest.raises(NotSentError) as raised:
        receiver.send(notice())

    assert str(raised.value).startswith(f"{receiver.name}: ")
    assert "secret-path" not in str(raised.value)


def test_a_notice_is_accepted_by_its_status_alone() -> None:
    """A body that is cut or garbled must not send it again."""
    answers = (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nplaintext",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    )
    with raw_server(*answers) as url:
        for _ in answers[:-1]:
            Webhook(url).send(notice())
        with pytest.raises(NotSentError, match="HTTP 500"):
            Webhook(url).send(notice())


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Remove the proxies and authorities of this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


WEB = [Webhook("https://alerts.invalid/x"), Slack("https://alerts.invalid/x", "alerts.invalid")]


@pytest.mark.parametrize("receiver", WEB, ids=lambda each: each.name)
def test_alerts_go_through_the_proxy_unless_it_is_excepted(
    environment: pytest.MonkeyPatch, receiver: Webhook | Slack
) -> None:
    """Behind a proxy no other way leads out; its rejection shows that it was asked."""
    with raw_server(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as proxy:
        environment.setenv("HTTPS_PROXY", proxy.replace("//", "//user:geheim@"))
        with pytest.raises(NotSentError, match=f"{receiver.name}: ProxyError") as raised:
            receiver.send(notice())
        environment.setenv("NO_PROXY", ".invalid")
        with pytest.raises(NotSentError, match=f"{receiver.name}: ConnectError"):
            receiver.send(notice())
    assert "geheim" not in str(raised.value)


def test_a_private_authority_is_trusted_by_alerts_too(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the same variable as the three systems: webhook, Slack and mail."""
    files = tls_files(tmp_path)
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with raw_server(b"", ok, ok, files=files) as url, smtp_server(files, at_once=True) as mailbox:
        mail = Mail("127.0.0.1", "a@example.com", ("b@example.com",), mailbox.port, tls="tls")
        for receiver in (Webhook(url), mail):
            with pytest.raises(NotSentError):
                receiver.send(notice())
        environment.setenv("SSL_CERT_FILE", str(files.ca))
        for receiver in (Webhook(url), Slack(url, "127.0.0.1"), mail):
            receiver.send(notice())


@contextmanager
def endless(*parts: bytes, pause_s: float = 0.0) -> Iterator[int]:
    """Run a server that sends the last of these parts again and again; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError), listening.accept()[0] as connection:
                for part in chain(parts, repeat(parts[-1])):
                    connection.sendall(part)
                    sleep(pause_s)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


def receivers(port: int) -> list[Receiver]:
    """Return one of each kind."""
    there = ("127.0.0.1", "a@example.com", ("b@example.com",), port)
    address = f"http://127.0.0.1:{port}/"
    return [Mail(*there, "none"), Mail(*there, "tls"), Webhook(address), Slack(address, "127.0.0.1")]


@pytest.mark.parametrize("number", range(4))
def test_a_receiver_that_answers_byte_by_byte_ends(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte restarts the time-out of a read: the whole conversation has a limit as well."""
    monkeypatch.setattr(time_limit, "MAX_S", 0.2)
    began = {0: b"220-", 1: b"\x16\x03\x03\x40\x00\x02"}.get(number, b"HTTP/1.1 200 OK\r\nX: ")
    with endless(began, b"a", pause_s=0.02) as port, pytest.raises(NotSentError):
        receivers(port)[number].send(notice())


def test_replies_without_end_are_not_kept() -> None:
    """A mail server may continue its greeting for ever, a line at a time."""
    with endless(b"220-hello\r\n" * 1000) as port, pytest.raises(NotSentError, match=r"^mail: SMTPServerDisconnected"):
        receivers(port)[0].send(notice())
