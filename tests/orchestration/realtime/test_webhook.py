"""The webhook: signed posts are stored before they are acknowledged, and all others are rejected."""

import io
import json
import logging
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.testclient import TestClient

from orchestration import request_timeout
from orchestration.cli.main import app as cli
from orchestration.cli.output import PIPE_WIDTH, Output
from orchestration.cli.webhook import log_handler, webhook
from orchestration.configuration.settings import ROOT
from orchestration.realtime import webhook as webhook_module
from orchestration.realtime.queue import MAX_ATTEMPTS, Notification, NotificationQueue
from orchestration.realtime.webhook import Gate, RefusedError, Webhook, _Refusals
from orchestration.server_log import RepeatedWarnings
from resources.netsuite.webhook_signature import NONCE, PATH, SIGNATURE, TIMESTAMP, signed_headers
from resources.sandbox.netsuite.user_event import Deployment
from resources.sandbox.sandbox import Sandbox
from tests.orchestration.serving import serving
from tests.resources.notifiers.servers import http_server

SECRET, OLD = "new-secret-" + "x" * 32, "old-secret-" + "y" * 32
NOW = 1_795_000_000.0
CONNECTIONS = ("suiteprojects", "precoro")
CONTENT = {"account": "1234567_SB1", "type": "customer", "id": "107", "event": "edit", "context": "USERINTERFACE"}


@dataclass
class Client:
    """A webhook on a folder, and posts to it."""

    folder: Path
    seconds: list[float] = field(default_factory=lambda: [NOW])

    def __post_init__(self) -> None:
        gate = Gate(
            secrets=[SECRET, OLD], hosts=frozenset({"hooks.example.com", "127.0.0.1"}), account="1234567_SB1",
            now=lambda: self.seconds[-1],
        )  # fmt: skip
        self.queue = NotificationQueue(self.folder)
        self.http = TestClient(Webhook(gate, self.queue).app(), base_url="http://hooks.example.com")

    def post(self, secret: str = SECRET, nonce: str = "", at: float = NOW, **content: str) -> httpx.Response:
        """Send a signed post."""
        body = json.dumps(CONTENT | content).encode()
        return self.http.post(PATH, content=body, headers=signed_headers(secret, body, at=at, nonce=nonce))

    def pending(self) -> list[tuple[str, str, bool]]:
        """Return the pending records."""
        due = self.queue.due(["suiteprojects"], NOW)["suiteprojects"]
        return [(notification.source, notification.record_id, notification.is_deleted) for notification in due]


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """A webhook with an empty queue."""
    return Client(tmp_path)


def test_a_signed_post_is_queued(client: Client) -> None:
    """A lead, a prospect and a customer are one record."""
    answers = [client.post(), client.post(type="lead", id="108"), client.post(type="job", id="9", event="delete")]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(202, {"status": "queued"})] * 3
    assert client.pending() == [("customers", "107", False), ("customers", "108", False), ("projects", "9", True)]


def test_during_a_rotation_both_secrets_are_accepted(client: Client) -> None:
    """The new one is set here first, then in NetSuite; no notification is lost in between."""
    assert (client.post(SECRET).status_code, client.post(OLD).status_code) == (202, 202)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"secret": "guess-" + "z" * 32}, 401),
        ({"at": NOW - 301}, 401),
        ({"at": NOW + 301}, 401),
        ({"id": "107 or 1=1"}, 422),
        ({"id": "0"}, 422),
        ({"event": "<script>"}, 422),
        ({"account": "7654321"}, 422),
    ],
)
def test_forged_outdated_and_malformed_posts_are_rejected(client: Client, change: dict[str, str], status: int) -> None:
    """The response does not reveal the reason."""
    answer = client.post(**change)  # type: ignore[arg-type]  # a time is a number

    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert client.pending() == []


def test_a_signed_post_cannot_be_modified(client: Client) -> None:
    """The signature covers body, timestamp and nonce."""
    body = json.dumps(CONTENT).encode()
    headers = signed_headers(SECRET, body, at=NOW)
    other = json.dumps(CONTENT | {"id": "108"}).encode()
    posts = [
        (other, headers),
        (body, headers | {TIMESTAMP: str(int(NOW) + 1)}),
        (body, headers | {NONCE: "0" * 32}),
        (body, headers | {SIGNATURE: ""}),
        (body, {name: value for name, value in headers.items() if name != SIGNATURE}),
        (body, {name: value for name, value in headers.items() if name != NONCE}),
    ]

    assert [client.http.post(PATH, content=sent, headers=shown).status_code for sent, shown in posts] == [401] * 6
    assert client.pending() == []


def test_an_upper_case_signature_is_accepted(client: Client) -> None:
    """The case of NetSuite's hexadecimal digits is not documented."""
    body = json.dumps(CONTENT).encode()
    headers = signed_headers(SECRET, body, at=NOW)
    upper = headers | {SIGNATURE: f"sha256={headers[SIGNATURE].removeprefix('sha256=').upper()}"}

    assert client.http.post(PATH, content=body, headers=upper).status_code == 202


def test_a_post_is_accepted_once(client: Client, tmp_path: Path) -> None:
    """Also after a restart: nonces are kept longer than a timestamp is valid."""
    first = client.post(nonce="a" * 32)
    replayed = Client(tmp_path).post(nonce="a" * 32)
    client.seconds.append(NOW + 299)
    late = client.post(nonce="a" * 32)
    client.seconds.append(NOW + 3600)
    stale = client.post(nonce="a" * 32)

    assert [each.status_code for each in (first, replayed, late, stale)] == [202, 409, 409, 401]


def test_host_method_type_and_size_are_checked_first(client: Client) -> None:
    """Before the signature; a body is read only up to the maximum size."""
    body = json.dumps(CONTENT | {"context": "x" * 5000}).encode()
    headers, http = signed_headers(SECRET, body, at=NOW), client.http

    def parts() -> Iterator[bytes]:
        yield body

    assert http.post(PATH, content=b"", headers=headers | {"host": "evil.example.com"}).status_code == 421
    assert http.post(PATH, content=b"", headers=headers | {"host": "[::1"}).status_code in {400, 421}
    assert http.get(PATH).status_code == 405
    assert http.post(PATH, content=b"{}", headers=headers | {"content-type": "text/plain"}).status_code == 415
    assert http.post(PATH, content=body, headers=headers).status_code == 413
    assert http.post(PATH, content=parts(), headers=headers).status_code == 413
    assert http.get("/other").status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"{}", b"\xff\xfe", b'{"account": null}', b"[" * 4000])
def test_a_signed_body_of_another_format_is_rejected(client: Client, body: bytes) -> None:
    """Such as from another version of the script."""
    assert client.http.post(PATH, content=body, headers=signed_headers(SECRET, body, at=NOW)).status_code == 422


def test_an_unknown_record_type_is_ignored(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """The post is acknowledged, and our log has the reason."""
    answer = client.post(type="vendor")

    assert (answer.status_code, answer.json()) == (202, {"status": "ignored"})
    assert "no workflow reads records of type vendor" in caplog.text
    assert client.pending() == []


def test_repeated_posts_of_a_record_are_one_notification(client: Client) -> None:
    """A record saved ten times is synced once; a hundred records are a hundred notifications."""
    for _ in range(10):
        client.post()
    for number in range(1, 100):
        client.post(id=str(number))

    assert len(client.pending()) == 100


@pytest.mark.parametrize("events", [("edit", "delete"), ("delete", "edit"), ("delete", "create", "xedit")])
def test_the_order_of_posts_does_not_matter(client: Client, events: tuple[str, ...]) -> None:
    """A network may reorder posts; one reported deletion is enough for the run to ask NetSuite."""
    for event in events:
        client.post(event=event)

    assert client.pending() == [("customers", "107", True)]


def test_the_health_page_shows_only_the_number_of_pending_records(client: Client) -> None:
    """For monitoring; the allowed hosts apply here as well."""
    client.post()

    assert client.http.get("/health").json() == {"status": "ok", "pending": 1}
    assert client.http.get("/health", headers={"host": "evil.example.com"}).status_code == 421


def test_a_notification_is_on_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    """Killed in between: NetSuite gets no response, and the record is synced all the same."""
    script = (
        "import sys; from pathlib import Path; from tests.orchestration.realtime.test_webhook import Client;"
        " from resources.failpoints import arm; arm('notification_stored'); Client(Path(sys.argv[1])).post()"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, check=False, capture_output=True)

    assert done.returncode == -9
    assert Client(tmp_path).pending() == [("customers", "107", False)]


def due(queue: NotificationQueue, connection: str = "precoro", now: float = NOW) -> list[Notification]:
    """Return what one connection may try now."""
    return queue.due([connection], now)[connection]


def next_retry(queue: NotificationQueue) -> float | None:
    """Return the time of the next scheduled retry."""
    with sqlite3.connect(queue.path) as con:
        found: float | None = con.execute("select min(next_at) from progress where not is_done").fetchone()[0]
    return found


def test_a_save_during_a_run_is_pending_afterwards(client: Client) -> None:
    """The run had an earlier notification."""
    client.post()
    before = due(client.queue)
    client.post()
    for connection in CONNECTIONS:
        client.queue.mark_done(connection, before, CONNECTIONS)

    assert [notification.number for notification in due(client.queue)] == [2]


def test_each_connection_completes_its_own_notifications(client: Client) -> None:
    """A failed one is retried, the other is done; the notification is deleted when both are done."""
    client.post()
    notification = due(client.queue)
    client.queue.mark_failed("suiteprojects", notification, CONNECTIONS, "down", NOW)
    client.queue.mark_done("precoro", notification, CONNECTIONS)

    assert due(client.queue) == []
    assert due(client.queue, "suiteprojects", NOW) == []
    again = due(client.queue, "suiteprojects", NOW + 3)
    assert [notification.attempts for notification in again] == [1]
    client.queue.mark_done("suiteprojects", again, CONNECTIONS)
    assert client.queue.pending() == 0


def test_a_notification_that_keeps_failing_is_left_to_the_full_run(client: Client) -> None:
    """With exponential backoff, eight times within about an hour; a further save is tried at once."""
    client.post()
    now, waits = NOW, []
    for _ in range(MAX_ATTEMPTS):
        notification = due(client.queue, now=now)
        abandoned = client.queue.mark_failed("precoro", notification, ["precoro"], "down", now)
        next_at = next_retry(client.queue)
        waits.append(0.0 if next_at is None else next_at - now)
        now = next_at or now

    assert waits == [2, 8, 32, 128, 512, 900, 900, 0]
    assert [each.record_id for each in abandoned] == ["107"]
    assert client.queue.pending() == 0

    client.post()
    notification = due(client.queue, now=now)
    client.queue.mark_failed("precoro", notification, ["precoro"], "down", now)
    client.post()
    assert [each.attempts for each in due(client.queue, now=now)] == [0]


def test_a_retry_is_due_although_the_clock_was_set_back(client: Client) -> None:
    """No delay is longer than a quarter of an hour, so a retry of tomorrow comes from a clock that was ahead."""
    client.post()
    client.queue.mark_failed("precoro", due(client.queue, now=NOW), ["precoro"], "down", NOW + 86_400)

    assert [each.attempts for each in due(client.queue, now=NOW)] == [1]
    assert next_retry(client.queue) == NOW + 86_402


def test_the_simulated_netsuite_posts_as_the_script_does(client: Client, sandbox: Sandbox) -> None:
    """Create, edit and delete; a lead is posted as a lead; nothing is posted without a deployment."""
    sandbox.netsuite.insert("customer", [{"id": 5, "entityid": "C5", "searchstage": "Lead"}])
    assert client.pending() == []
    with http_server() as posted:
        sandbox.netsuite.user_event.deploy(Deployment(posted.url, SECRET, "1234567_SB1"))
        sandbox.netsuite.update("customer", 5, email="a@example.com")
        sandbox.netsuite.insert("job", [{"id": 6, "entityid": "P6", "customer": 5}])
        sandbox.netsuite.delete("job", "job", 6)
        sandbox.netsuite.user_event.deploy(None)
        sandbox.netsuite.update("customer", 5, email="b@example.com")

    contents = [json.loads(body) for _, body in posted.got]
    assert [(each["type"], each["id"], each["event"]) for each in contents] == [
        ("lead", "5", "edit"), ("job", "6", "create"), ("job", "6", "delete"),
    ]  # fmt: skip
    for headers, body in posted.got:  # the webhook accepts the very posts
        client.seconds.append(float(headers[TIMESTAMP.lower()]))
        response = client.http.post(PATH, content=body, headers={**headers, "host": "hooks.example.com"})
        assert response.status_code == 202
    assert client.pending() == [("customers", "5", False), ("projects", "6", True)]


@pytest.mark.parametrize(("secrets", "message"), [("", "is not set"), ("short", "32 characters or more")])
def test_the_webhook_requires_a_long_secret(
    secrets: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise anyone could send notifications."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.setenv("MILLPOND_WEBHOOK_SECRETS", secrets)

    assert webhook() == 2
    assert message in capsys.readouterr().out


def test_the_command_limits_the_warnings_of_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is no HTTP is a warning of the server, before our own limit."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.setenv("MILLPOND_WEBHOOK_SECRETS", SECRET)
    monkeypatch.setattr(uvicorn.Server, "run", lambda _: None)
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "filters", [])

    webhook()

    assert [type(each) for each in logging.getLogger("uvicorn.error").filters] == [RepeatedWarnings]


def test_the_sandbox_command_deploys_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`millpond sandbox webhook` deploys it in the simulated NetSuite, with the webhook's secret."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.delenv("MILLPOND_WEBHOOK_SECRETS", raising=False)
    codes, deployed = [], []
    for secrets, options in (("", []), (f"{SECRET},{OLD}", []), (SECRET, ["--off"])):
        monkeypatch.setenv("MILLPOND_WEBHOOK_SECRETS", secrets)
        with pytest.raises(SystemExit) as end:
            cli(["sandbox", "webhook", *options])
        codes.append(end.value.code or 0)
        deployed.append(Sandbox(tmp_path / "sandbox").netsuite.user_event.is_deployed("customer"))

    assert (codes, deployed) == ([2, 0, 0], [False, True, False])
    assert SECRET not in capsys.readouterr().out


@pytest.fixture
def served(tmp_path: Path) -> Iterator[int]:
    """The webhook on a port of this machine, as the command serves it."""
    gate = Gate([SECRET], frozenset({"127.0.0.1"}))
    app = Webhook(gate, NotificationQueue(tmp_path)).app()
    with serving(app, headers=[("connection", "close")]) as port:
        yield port


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /hooks/netsuite HTTP/1.1\r\nHost: 127",
        (
            b"POST /hooks/netsuite HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            b"content-type: application/json\r\ncontent-length: 9\r\n\r\n{"
        ),
    ],
    ids=["nothing", "half a header", "half a body"],
)
def test_a_slow_sender_is_disconnected(served: int, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """A hundred of them would leave no place for NetSuite."""
    monkeypatch.setattr(request_timeout, "HEADERS_TIMEOUT_S", 0.2)
    monkeypatch.setattr(webhook_module, "BODY_TIMEOUT_S", 0.2)
    with socket.create_connection(("127.0.0.1", served), timeout=10) as connection:
        connection.sendall(sent)
        answer = connection.recv(4096)  # blank: closed

    assert not answer or answer.startswith(b"HTTP/1.1 408")


def test_refusals_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """One line a minute for each reason, with the number of the others."""
    moment = [0.0]
    refusals = _Refusals(lambda: moment[0])
    for number in range(1000):
        refusals.log(RefusedError(401, f"timestamp {number} is outside the window"))
    refusals.log(RefusedError(413, "declared length"))
    moment[0] = 61.0
    refusals.log(RefusedError(401, "timestamp 7 is outside the window"))

    assert [record.getMessage() for record in caplog.records] == [
        "rejected with 401: timestamp 0 is outside the window",
        "rejected with 413: declared length",
        "rejected with 401: timestamp 7 is outside the window (and 999 more before)",
    ]


def test_a_line_of_its_log_ends_with_its_message() -> None:
    """A pipe is as wide as the longest text: nothing stands at its right edge."""
    file = io.StringIO()
    log_handler(Output(file=file, width=PIPE_WIDTH)).handle(
        logging.LogRecord("webhook", logging.INFO, __file__, 1, "queued: customers 107, edit", (), None)
    )

    assert re.fullmatch(r"\[\S+ \S+\] INFO +queued: customers 107, edit\n", file.getvalue()), file.getvalue()[:200]
