"""Who is told: a webhook, Slack, a mailbox; each on a server of this machine."""

import hmac
import json
import socket
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest

from resources.notifiers.mail import Mail
from resources.notifiers.notice import NotToldError, Receiver
from resources.notifiers.web import Slack, Webhook
from resources.sandbox.certificates import tls_files
from tests.resources.notifiers.listening import http_server, notice, smtp_server

KEY = "a-shared-key"


def test_a_webhook_gets_json_that_it_can_verify() -> None:
    """The signature covers time and body, so that neither can be changed or sent again next week."""
    with http_server() as server:
        Webhook(server.url, KEY).tell(notice())
    headers, body = server.got[0]
    seconds, digest = (part.partition("=")[2] for part in headers["x-millpond-signature"].split(","))

    told = json.loads(body)
    assert (told["title"], told["entries"][0]["cause"]) == ("Millpond: 1 failed", "netsuite: HTTP <503> & more")
    assert headers["x-millpond-notice"] == told["notice_id"] == "n1"
    assert digest == hmac.new(KEY.encode(), f"{seconds}.".encode() + body, sha256).hexdigest()
    assert hmac.new(b"another", f"{seconds}.".encode() + body, sha256).hexdigest() != digest


def test_without_a_key_nothing_is_signed() -> None:
    """A receiver that needs no proof gets none."""
    with http_server() as server:
        Webhook(server.url).tell(notice())

    assert "x-millpond-signature" not in server.got[0][0]


def test_slack_gets_one_text_in_which_nothing_is_a_command() -> None:
    """`<!channel>` in a reason would wake everybody."""
    with http_server() as server:
        Slack(server.url, "127.0.0.1").tell(notice(title="Millpond: <!channel> failed"))
    told = json.loads(server.got[0][1])

    assert set(told) == {"text"}
    assert told["text"].startswith("*Millpond: &lt;!channel&gt; failed*\n")
    assert "customers, projects" in told["text"]
    assert "<" not in told["text"]


@pytest.mark.parametrize(("status", "location"), [(500, ""), (404, ""), (302, "http://127.0.0.1:9/elsewhere")])
def test_a_refusal_is_told_without_the_address(status: int, location: str) -> None:
    """Addresses of webhooks are keys; a redirect could lead them anywhere and is not followed."""
    with http_server() as server:
        server.status, server.location = status, location
        with pytest.raises(NotToldError) as refused:
            Webhook(server.url).tell(notice())

    assert str(refused.value) == f"webhook: HTTP {status}"
    assert len(server.got) == 1


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: Webhook("http://example.com/x"), "MILLPOND_ALERT_WEBHOOK_URL must begin with https://"),
        (lambda: Slack("https://evil.example/services/T/B"), "must be an address of hooks.slack.com"),
        (lambda: Slack("https://hooks.slack.com.evil.example/x"), "must be an address of hooks.slack.com"),
        (lambda: Mail("smtp.example", "", ("a@example.com",)), "MILLPOND_ALERT_MAIL_FROM"),
        (lambda: Mail("smtp.example", "a@example.com", ()), "MILLPOND_ALERT_MAIL_TO"),
        (
            lambda: Mail("smtp.example", "a@example.com", ("b@example.com",), tls="none", user="me", password="x"),
            "a password is sent over TLS only",
        ),
    ],
)
def test_an_unsafe_setting_is_refused(build: object, told: str) -> None:
    """Before anything is sent; the text names the setting and not what is in it."""
    assert callable(build)
    with pytest.raises(ValueError, match=told) as refused:
        build()

    assert "/services/" not in str(refused.value)


@pytest.mark.parametrize("at_once", [False, True], ids=["starttls", "tls"])
def test_mail_goes_over_tls_and_signs_in(tmp_path: Path, *, at_once: bool) -> None:
    """Both ways in which servers speak TLS; everybody on the list gets it."""
    files = tls_files(tmp_path)
    with smtp_server(files, at_once=at_once) as server:
        Mail(
            "localhost", "millpond@example.com", ("ops@example.com", "me@example.com"), server.port,
            "tls" if at_once else "starttls", "integration", "a password", str(files.ca),
        ).tell(notice(title="Millpond:\r\nBcc: everybody@example.com"))  # fmt: skip
    (mail,) = server.mails

    assert server.secured == [True]
    assert b64decode(server.signed_in[0]).decode() == "\0integration\0a password"
    assert server.recipients == ["ops@example.com", "me@example.com"]
    assert mail["Subject"] == "Millpond: Bcc: everybody@example.com"
    assert mail["Bcc"] is None
    assert mail["Message-ID"] == "<n1@millpond>"
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert "failed: netsuite: HTTP <503> & more" in body.decode()


def test_mail_is_not_sent_where_the_server_is_not_who_it_says(tmp_path: Path) -> None:
    """A certificate that nobody vouches for: the password stays here."""
    with smtp_server(tls_files(tmp_path)) as server:
        mail = Mail("localhost", "a@example.com", ("b@example.com",), server.port, user="me", password="secret")
        with pytest.raises(NotToldError, match=r"^mail: SSLCertVerificationError"):
            mail.tell(notice())

    assert server.signed_in == []
    assert server.mails == []


def test_a_recipient_that_is_refused_is_told_without_the_address() -> None:
    """Addresses are personal; the server's words repeat them."""
    with smtp_server() as server:
        server.refuses = "ops@example.com"
        with pytest.raises(NotToldError) as refused:
            Mail("127.0.0.1", "a@example.com", ("ops@example.com",), server.port, "none").tell(notice())

    assert "example.com" not in str(refused.value)
    assert str(refused.value).startswith("mail: SMTPRecipientsRefused")


def dead_port() -> int:
    """A port on which nobody listens."""
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
def test_a_dead_receiver_is_named_and_nothing_else(receiver: Receiver) -> None:
    """The caller keeps the notice and tries again."""
    with pytest.raises(NotToldError) as refused:
        receiver.tell(notice())

    assert str(refused.value).startswith(f"{receiver.name}: ")
    assert "secret-path" not in str(refused.value)
