"""The webhook: what NetSuite signed is kept before it is answered, everything else is turned away."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from starlette.testclient import TestClient

from orchestration.cli.main import app as cli
from orchestration.cli.webhook import serve_webhook
from orchestration.realtime.queue import TRIES, Notification, NotificationQueue
from orchestration.realtime.webhook import Gate, Webhook
from orchestration.settings import ROOT
from resources.netsuite.webhook_signature import NONCE, PATH, SIGNATURE, TIMESTAMP, signed
from resources.sandbox.netsuite.user_event import Deployment
from resources.sandbox.sandbox import Sandbox
from tests.resources.notifiers.listening import http_server

SECRET, OLD = "new-secret-" + "x" * 32, "old-secret-" + "y" * 32
NOW = 1_795_000_000.0
DOORS = ("suiteprojects", "precoro")
SAID = {"account": "1234567_SB1", "type": "customer", "id": "107", "event": "edit", "context": "USERINTERFACE"}


@dataclass
class Hook:
    """A webhook over a folder, and posts to it."""

    folder: Path
    seconds: list[float] = field(default_factory=lambda: [NOW])

    def __post_init__(self) -> None:
        gate = Gate(
            secrets=[SECRET, OLD], names=frozenset({"hooks.example.com", "127.0.0.1"}), account="1234567_SB1",
            now=lambda: self.seconds[-1],
        )  # fmt: skip
        self.notifications = NotificationQueue(self.folder)
        self.client = TestClient(Webhook(gate, self.notifications).app(), base_url="http://hooks.example.com")

    def post(self, secret: str = SECRET, nonce: str = "", at: float = NOW, **said: str) -> httpx.Response:
        """One signed post."""
        body = json.dumps(SAID | said).encode()
        return self.client.post(PATH, content=body, headers=signed(secret, body, at=at, nonce=nonce))

    def waiting(self) -> list[tuple[str, str, bool]]:
        """Which records wait."""
        due = self.notifications.due(["suiteprojects"], NOW)["suiteprojects"]
        return [(notification.source, notification.record_id, notification.is_deleted) for notification in due]


@pytest.fixture
def hook(tmp_path: Path) -> Hook:
    """An empty one."""
    return Hook(tmp_path)


def test_a_signed_post_is_kept_and_answered(hook: Hook) -> None:
    """One short answer; a lead, a prospect and a customer are one record."""
    answers = [hook.post(), hook.post(type="lead", id="108"), hook.post(type="job", id="9", event="delete")]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(202, {"status": "kept"})] * 3
    assert hook.waiting() == [("customers", "107", False), ("customers", "108", False), ("projects", "9", True)]


def test_while_secrets_change_both_are_taken(hook: Hook) -> None:
    """The new one is set here first, then in NetSuite; no save is lost in between."""
    assert (hook.post(SECRET).status_code, hook.post(OLD).status_code) == (202, 202)


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
def test_forged_stale_and_strange_posts_are_turned_away(hook: Hook, change: dict[str, str], status: int) -> None:
    """And the answer does not say what of it was wrong."""
    answer = hook.post(**change)  # type: ignore[arg-type]  # a time is a number

    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert hook.waiting() == []


def test_what_was_signed_cannot_be_changed_on_the_way(hook: Hook) -> None:
    """Body, time stamp and nonce are all under the signature."""
    body = json.dumps(SAID).encode()
    headers = signed(SECRET, body, at=NOW)
    other = json.dumps(SAID | {"id": "108"}).encode()
    tries = [
        (other, headers),
        (body, headers | {TIMESTAMP: str(int(NOW) + 1)}),
        (body, headers | {NONCE: "0" * 32}),
        (body, headers | {SIGNATURE: ""}),
        (body, {name: value for name, value in headers.items() if name != SIGNATURE}),
        (body, {name: value for name, value in headers.items() if name != NONCE}),
    ]

    assert [hook.client.post(PATH, content=sent, headers=shown).status_code for sent, shown in tries] == [401] * 6
    assert hook.waiting() == []


def test_hex_in_capitals_is_the_same_signature(hook: Hook) -> None:
    """Nobody documents in which case NetSuite writes it."""
    body = json.dumps(SAID).encode()
    headers = signed(SECRET, body, at=NOW)
    loud = headers | {SIGNATURE: f"sha256={headers[SIGNATURE].removeprefix('sha256=').upper()}"}

    assert hook.client.post(PATH, content=body, headers=loud).status_code == 202


def test_a_post_is_taken_once(hook: Hook, tmp_path: Path) -> None:
    """Also by a webhook that was started anew: nonces are kept as long as a time stamp is good, and longer."""
    first = hook.post(nonce="a" * 32)
    replayed = Hook(tmp_path).post(nonce="a" * 32)
    hook.seconds.append(NOW + 299)
    late = hook.post(nonce="a" * 32)
    hook.seconds.append(NOW + 3600)
    stale = hook.post(nonce="a" * 32)

    assert [each.status_code for each in (first, replayed, late, stale)] == [202, 409, 409, 401]


def test_host_method_type_and_size_are_looked_at_first(hook: Hook) -> None:
    """Before a signature is computed; a body is read only as far as it may go."""
    body = json.dumps(SAID | {"context": "x" * 5000}).encode()
    headers = signed(SECRET, body, at=NOW)

    def parts() -> Iterator[bytes]:
        yield body

    client = hook.client
    assert client.post(PATH, content=b"", headers=headers | {"host": "evil.example.com"}).status_code == 421
    assert client.post(PATH, content=b"", headers=headers | {"host": "[::1"}).status_code in {400, 421}
    assert client.get(PATH).status_code == 405
    assert client.post(PATH, content=b"{}", headers=headers | {"content-type": "text/plain"}).status_code == 415
    assert client.post(PATH, content=body, headers=headers).status_code == 413
    assert client.post(PATH, content=parts(), headers=headers).status_code == 413
    assert client.get("/other").status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"{}", b"\xff\xfe", b'{"account": null}'])
def test_a_signed_body_that_is_no_hint_is_told_so(hook: Hook, body: bytes) -> None:
    """A script of another version; nothing breaks."""
    assert hook.client.post(PATH, content=body, headers=signed(SECRET, body, at=NOW)).status_code == 422


def test_a_type_of_record_that_nothing_follows_is_ignored(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    """The script is content, our log says why nothing happens."""
    answer = hook.post(type="vendor")

    assert (answer.status_code, answer.json()) == (202, {"status": "ignored"})
    assert "nothing here follows records of type vendor" in caplog.text
    assert hook.waiting() == []


def test_duplicates_and_bursts_are_one_hint_a_record(hook: Hook) -> None:
    """Saved ten times, looked at once; a hundred records are a hundred."""
    for _ in range(10):
        hook.post()
    for number in range(1, 100):
        hook.post(id=str(number))

    assert len(hook.waiting()) == 100
    assert hook.notifications.counted() == {"kept": 109, "left": 0}


@pytest.mark.parametrize("events", [("edit", "delete"), ("delete", "edit"), ("delete", "create", "xedit")])
def test_the_order_of_posts_does_not_matter(hook: Hook, events: tuple[str, ...]) -> None:
    """Networks turn it round; whether the record is gone is asked of NetSuite as soon as one post says so."""
    for event in events:
        hook.post(event=event)

    assert hook.waiting() == [("customers", "107", True)]


def test_health_tells_no_more_than_that_it_answers(hook: Hook) -> None:
    """For who watches it; the host list holds here too."""
    hook.post()

    assert hook.client.get("/health").json() == {"status": "ok", "waiting": 1}
    assert hook.client.get("/health", headers={"host": "evil.example.com"}).status_code == 421


def test_a_hint_is_on_disk_before_it_is_answered(tmp_path: Path) -> None:
    """Killed between the two: NetSuite has no answer, the record is brought all the same."""
    script = (
        "import sys; from pathlib import Path; from tests.orchestration.realtime.test_webhook import Hook;"
        " from resources.failpoints import arm; arm('hint_kept'); Hook(Path(sys.argv[1])).post()"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, check=False, capture_output=True)

    assert done.returncode == -9
    assert Hook(tmp_path).waiting() == [("customers", "107", False)]


def taken(notifications: NotificationQueue, connection: str = "precoro", now: float = NOW) -> list[Notification]:
    """What one account may try now."""
    return notifications.due([connection], now)[connection]


def test_a_save_while_a_run_looks_is_looked_at_again(hook: Hook) -> None:
    """What the run had taken is older."""
    hook.post()
    before = taken(hook.notifications)
    hook.post()
    for connection in DOORS:
        hook.notifications.done(connection, before, DOORS)

    assert [notification.number for notification in taken(hook.notifications)] == [2]


def test_each_account_closes_its_own_hints(hook: Hook) -> None:
    """One that does not answer keeps waiting, the other is not asked again; then the change notification is forgotten."""
    hook.post()
    notification = taken(hook.notifications)
    hook.notifications.failed("suiteprojects", notification, DOORS, "down", NOW)
    hook.notifications.done("precoro", notification, DOORS)

    assert taken(hook.notifications) == []
    assert taken(hook.notifications, "suiteprojects", NOW) == []
    again = taken(hook.notifications, "suiteprojects", NOW + 3)
    assert [notification.tries for notification in again] == [1]
    hook.notifications.done("suiteprojects", again, DOORS)
    assert hook.notifications.waiting() == 0


def test_a_hint_that_fails_and_fails_is_left_to_the_run_of_all(hook: Hook) -> None:
    """Later and later, eight times, in about an hour; a save in between is tried at once."""
    hook.post()
    now, waits = NOW, []
    for _ in range(TRIES):
        notification = taken(hook.notifications, now=now)
        given_up = hook.notifications.failed("precoro", notification, ["precoro"], "down", now)
        next_at = hook.notifications.next_try(["precoro"])
        waits.append(0.0 if next_at is None else next_at - now)
        now = next_at or now

    assert waits == [2, 8, 32, 128, 512, 900, 900, 0]
    assert [each.record_id for each in given_up] == ["107"]
    assert (hook.notifications.waiting(), hook.notifications.counted()["left"]) == (0, 1)

    hook.post()
    notification = taken(hook.notifications, now=now)
    hook.notifications.failed("precoro", notification, ["precoro"], "down", now)
    hook.post()
    assert [each.tries for each in taken(hook.notifications, now=now)] == [0]


def test_the_stand_in_posts_as_the_script_does(hook: Hook, sandbox: Sandbox) -> None:
    """Create, edit and delete; a lead is told as a lead; without a deployment nothing is."""
    sandbox.netsuite.insert("customer", [{"id": 5, "entityid": "C5", "searchstage": "Lead"}])
    assert hook.waiting() == []
    with http_server() as posted:
        sandbox.netsuite.user_event.register(Deployment(posted.url, SECRET, "1234567_SB1"))
        sandbox.netsuite.update("customer", 5, email="a@example.com")
        sandbox.netsuite.insert("job", [{"id": 6, "entityid": "P6", "customer": 5}])
        sandbox.netsuite.delete("job", "job", 6)
        sandbox.netsuite.user_event.register(None)
        sandbox.netsuite.update("customer", 5, email="b@example.com")

    said = [json.loads(body) for _, body in posted.got]
    assert [(each["type"], each["id"], each["event"]) for each in said] == [
        ("lead", "5", "edit"), ("job", "6", "create"), ("job", "6", "delete"),
    ]  # fmt: skip
    for headers, body in posted.got:  # what went over the wire is what the webhook takes
        hook.seconds.append(float(headers[TIMESTAMP.lower()]))
        kept = hook.client.post(PATH, content=body, headers={**headers, "host": "hooks.example.com"})
        assert kept.status_code == 202
    assert hook.waiting() == [("customers", "5", False), ("projects", "6", True)]


@pytest.mark.parametrize(("secrets", "told"), [("", "is not set"), ("short", "32 characters or more")])
def test_without_a_good_secret_it_does_not_start(
    secrets: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anybody could send change notifications then."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.setenv("MILLPOND_WEBHOOK_SECRETS", secrets)

    assert serve_webhook(Console(width=200)) == 2
    assert told in capsys.readouterr().out


def test_the_sandbox_tells_where_its_saves_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`millpond sandbox hook` deploys the stand-in's user event, with the secret that the webhook knows."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.delenv("MILLPOND_WEBHOOK_SECRETS", raising=False)
    codes, deployed = [], []
    for secrets, words in (("", []), (f"{SECRET},{OLD}", []), (SECRET, ["--off"])):
        monkeypatch.setenv("MILLPOND_WEBHOOK_SECRETS", secrets)
        with pytest.raises(SystemExit) as end:
            cli(["sandbox", "hook", *words])
        codes.append(end.value.code or 0)
        deployed.append(Sandbox(tmp_path / "sandbox").netsuite.user_event.is_deployed("customer"))

    assert (codes, deployed) == ([2, 0, 0], [False, True, False])
    assert SECRET not in capsys.readouterr().out
