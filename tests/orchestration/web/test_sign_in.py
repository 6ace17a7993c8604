"""The sign-in of the UI over HTTP, in front of a server that answers every request."""

import asyncio
import http.server
import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from orchestration.cli.output import Output
from orchestration.configuration.settings import MillpondSettings
from orchestration.web.access import COOKIE, Access
from orchestration.web.console.beside_dagster import BesideDagster
from orchestration.web.guesses import CLIENTS, Guesses
from orchestration.web.identity import Role
from orchestration.web.serve_ui import _is_taken, _print_ready, _ready_lines, _responds
from orchestration.web.sessions import SESSION_S, Sessions
from orchestration.web.sign_in import SignIn
from orchestration.web.users import Users
from orchestration.web.webserver import serve, sign_in_token
from resources.clock import WallClock, steady

TOKEN = "the-token"
HERE = "http://localhost:3000"
SOCKET = "ws://localhost:3000/graphql"


async def inside(request: Request) -> PlainTextResponse:
    """Respond as Dagster would."""
    return PlainTextResponse(f"inside {request.method} {request.url.path}")


async def socket(web_socket: WebSocket) -> None:
    """Serve a subscription."""
    await web_socket.accept()
    await web_socket.send_text("inside")
    await web_socket.close()


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[TestClient]:
    """A client that has not signed in."""
    folders = [tmp_path / "acme", tmp_path / "globex", tmp_path / "without any"]
    for folder in folders[:2]:
        folder.mkdir()
    (folders[0] / "2026-run.html").write_text("a report")
    (folders[1] / "2026-11-22T020000-0a1b2c3d.html").write_text("the report of a run")
    routes = [Route("/{path:path}", inside, methods=["GET", "POST"]), WebSocketRoute("/graphql", socket)]
    access = Access(TOKEN, frozenset({"localhost"}), folders, Users(tmp_path / "users.json"))
    app = SignIn(Starlette(routes=routes), access)
    with TestClient(app, base_url=HERE, follow_redirects=False) as client:
        yield client


def sign_in(visitor: TestClient) -> httpx.Response:
    """Sign in as the form does."""
    return visitor.post("/sign-in", data={"token": TOKEN}, headers={"Origin": HERE})


def test_a_browser_is_redirected_to_the_form_and_back(visitor: TestClient) -> None:
    """The requested page opens after the sign-in."""
    asked = visitor.get("/assets/x", headers={"Accept": "text/html"})
    form = visitor.get(asked.headers["location"])
    signed = visitor.post(asked.headers["location"], data={"token": TOKEN}, headers={"Origin": HERE})

    assert (asked.status_code, form.status_code, signed.status_code) == (303, 200, 303)
    assert 'type="password"' in form.text
    assert signed.headers["location"] == "/assets/x"
    assert visitor.get("/assets/x").text == "inside GET /assets/x"


def test_a_form_that_comes_after_the_session_can_be_sent_again(visitor: TestClient) -> None:
    """A browser showed `sign in first` and nothing else; after the sign-in the same request is sent once more."""
    browser = {"Accept": "text/html", "Origin": HERE}
    refused = visitor.post("/console/plans/1/reject", data={"reason": "wrong"}, headers=browser)

    assert (refused.status_code, refused.headers["cache-control"]) == (401, "no-store")
    assert 'href="/sign-in' in refused.text
    assert "load this page again" in refused.text


def test_a_sign_out_after_the_session_leads_to_the_form(visitor: TestClient) -> None:
    """There is nothing to send again: that would end the next session."""
    answer = visitor.post("/sign-out", headers={"Accept": "text/html", "Origin": HERE}, follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize("asked", ["/assets/x?view=lineage&q=%22a%20b%22%2Bc", "/runs?x=%C3%A9%26#", "/a%3Fb%20c"])
def test_the_page_that_was_asked_for_keeps_its_query(visitor: TestClient, asked: str) -> None:
    """A link to a filtered list leads to the list that was meant; the address is spelled as it was."""
    form = visitor.get(asked.partition("#")[0], headers={"Accept": "text/html"}).headers["location"]
    signed = visitor.post(form, data={"token": TOKEN}, headers={"Origin": HERE})

    assert signed.headers["location"] == asked.partition("#")[0]


def test_a_link_with_a_token_that_is_off_leaves_no_token_in_the_address(tmp_path: Path) -> None:
    """Users have switched it off; what else was asked for stays."""
    users = Users(tmp_path / "users.json")
    users.add("ada", Role.VIEWER)
    access = Access("", frozenset({"localhost"}), [], users)
    with TestClient(SignIn(Starlette(), access), base_url=HERE, follow_redirects=False) as client:
        found = client.get("/console/plans?token=abc&state=open", headers={"Accept": "text/html"})

    assert found.headers["location"] == "/sign-in?next=/console/plans%3Fstate%3Dopen"


def test_a_program_gets_an_error_status(visitor: TestClient) -> None:
    """A redirect would look like a response."""
    assert visitor.post("/graphql", json={}).status_code == 403
    assert visitor.get("/graphql").status_code == 401
    assert visitor.get("/graphql", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert visitor.post("/graphql", json={}, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_link_with_the_token_signs_in_and_removes_the_token(visitor: TestClient) -> None:
    """It must not stay in the address bar, the history or a referrer."""
    answer = visitor.get(f"/runs?view=all&token={TOKEN}")

    assert (answer.status_code, answer.headers["location"]) == (303, "/runs?view=all")
    assert answer.headers["referrer-policy"] == "same-origin"
    assert visitor.get("/runs").status_code == 200


@pytest.mark.parametrize("after", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_the_sign_in_redirects_only_to_this_server(visitor: TestClient, after: str) -> None:
    """Our form must not be an open redirect."""
    answer = visitor.post("/sign-in", params={"next": after}, data={"token": TOKEN}, headers={"Origin": HERE})
    assert answer.headers["location"] == "/"


Guess = Callable[[TestClient, str], httpx.Response]
WAYS: dict[str, Guess] = {
    "form": lambda visitor, token: visitor.post("/sign-in", data={"token": token}, headers={"Origin": HERE}),
    "link": lambda visitor, token: visitor.get("/", params={"token": token}),
    "header": lambda visitor, token: visitor.get("/runs", headers={"Authorization": f"Bearer {token}"}),
    "header of a post": lambda visitor, token: visitor.post("/graphql", headers={"Authorization": f"Bearer {token}"}),
}


@pytest.mark.parametrize("first", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("second", WAYS.values(), ids=WAYS.keys())
def test_one_token_a_second_is_compared(visitor: TestClient, first: Guess, second: Guess) -> None:
    """Whichever way it is given: for a second after a wrong one, the right one is not recognized either."""
    guesses = visitor.app._guesses  # type: ignore[attr-defined]
    guesses._now = lambda: 100.0
    assert first(visitor, "wrong").status_code == 401
    guesses._now = lambda: 100.99
    assert second(visitor, TOKEN).status_code == 429
    assert COOKIE not in visitor.cookies
    guesses._now = lambda: 101.0
    assert second(visitor, TOKEN).status_code in {200, 303}


def test_guesses_from_many_clients_are_one_a_second_in_all() -> None:
    """A hundred addresses are no hundred guesses."""
    moment = [0.0]
    guesses = Guesses(lambda: moment[0])
    compared = 0
    for step in range(1000):
        moment[0] = step / 100
        client = f"10.0.0.{step % 100}"
        if guesses.is_allowed(client):
            compared += 1
            guesses.was_wrong(client)

    assert compared == 10
    assert len(guesses._last) <= CLIENTS


def test_a_session_goes_on_while_others_guess(visitor: TestClient) -> None:
    """A signed-in person is not locked out."""
    sign_in(visitor)
    assert WAYS["link"](visitor, "wrong").status_code == 401
    assert visitor.get("/runs").status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "["), ("Host", "[::1"), ("Host", "localhost:port"), ("Host", "\xff"), ("Host", "@"), ("Origin", "["),
        ("Origin", "http://["), ("Cookie", f"{COOKIE}={'9' * 5000}.x"), ("Cookie", f"{COOKIE}=\xb2.x"),
        ("Cookie", f"{COOKIE}=."), ("Cookie", "=;=;\xff"), ("Cookie", f"{COOKIE}=-1.x"), ("Content-Length", "\xb2"),
        ("Content-Length", "9" * 5000), ("Authorization", "\xff"), ("Authorization", "Bearer "), ("Accept", "\xff"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/graphql", "/reports/x.html", "/?token=%ff", "/sign-in?next=%0d%0aX:y"]
)
def test_an_odd_header_is_a_refusal_and_never_an_error_of_ours(
    visitor: TestClient, name: str, value: str, path: str
) -> None:
    """A 500 would be logged with a traceback for each."""
    raw = [(name.encode(), value.encode("latin-1"))]
    host = [] if name == "Host" else [(b"Host", b"localhost:3000")]
    for method in ("GET", "POST"):
        response = visitor.request(
            method, path, headers=[*host, *raw], content=b"token=x" if method == "POST" else None
        )
        assert response.status_code < 500, (method, response.text)


def test_no_other_site_may_frame_any_page(visitor: TestClient) -> None:
    """The form, a refusal, Dagster's own pages, a report."""
    sign_in(visitor)
    for path in ("/sign-in", "/", "/runs", "/reports/2026-run.html", "/reports/none.html"):
        for response in (visitor.get(path), visitor.get(path, headers={"Host": "evil.example"})):
            assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
            assert response.headers["x-frame-options"] == "DENY"
            assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("headers", "is_secure"),
    [({"Origin": HERE}, False), ({"Origin": HERE, "X-Forwarded-Proto": "https"}, True),
     ({"Origin": HERE, "X-Forwarded-Proto": "https, http"}, True),
     ({"Origin": "https://localhost:3000"}, True)],
)  # fmt: skip
def test_the_cookie_needs_tls_where_the_ui_has_it(
    visitor: TestClient, headers: dict[str, str], *, is_secure: bool
) -> None:
    """Behind a proxy that ends TLS it never travels in the clear."""
    cookie = visitor.post("/sign-in", data={"token": TOKEN}, headers=headers).headers["set-cookie"]
    assert ("secure" in cookie.lower()) is is_secure


def test_a_foreign_host_name_is_rejected(visitor: TestClient) -> None:
    """Another site may point its own name at this machine (DNS rebinding)."""
    sign_in(visitor)
    for host in ("evil.example", "evil.example:3000", "", "localhost.evil.example"):
        assert visitor.get("/", headers={"Host": host}).status_code == 421, host


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:4000", None])
def test_a_foreign_origin_cannot_use_the_cookie(visitor: TestClient, origin: str | None) -> None:
    """Neither by a form nor by a web socket."""
    sign_in(visitor)
    headers = {} if origin is None else {"Origin": origin}

    assert visitor.post("/graphql", json={}, headers=headers).status_code == 403
    with pytest.raises(WebSocketDisconnect), visitor.websocket_connect(SOCKET, headers=headers) as web_socket:
        web_socket.receive_text()


def test_our_own_origin_can_use_the_cookie(visitor: TestClient) -> None:
    """For subscriptions and buttons of the UI."""
    sign_in(visitor)

    assert visitor.post("/graphql", json={}, headers={"Origin": HERE}).text == "inside POST /graphql"
    with visitor.websocket_connect(SOCKET, headers={"Origin": HERE}) as web_socket:
        assert web_socket.receive_text() == "inside"


def test_a_web_socket_without_sign_in_is_rejected(visitor: TestClient) -> None:
    """Its handshake is a request like any other."""
    with (
        pytest.raises(WebSocketDisconnect),
        visitor.websocket_connect(SOCKET, headers={"Origin": HERE}) as web_socket,
    ):
        web_socket.receive_text()


def test_graphql_is_not_answered_by_get(visitor: TestClient) -> None:
    """An image on another site could otherwise start a mutation."""
    sign_in(visitor)
    assert visitor.get("/graphql", params={"query": "mutation { x }"}).status_code == 405


def test_the_cookie_is_protected_and_expires(visitor: TestClient) -> None:
    """Scripts cannot read it, other sites do not send it, and its expiry cannot be forged."""
    cookie = sign_in(visitor).headers["set-cookie"].lower()
    until, _, signature = visitor.cookies[COOKIE].partition(".")

    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    now = steady(WallClock()).seconds
    assert abs(int(until) - now - SESSION_S) < 60
    for forged in (f"{int(until) + 9999}.{signature}", f"{int(now) - 1}.{signature}", f"{until}.", "", "x.y"):
        visitor.cookies.clear()
        assert visitor.get("/", headers={"Cookie": f"{COOKIE}={forged}"}).status_code == 401, forged


def test_the_form_runs_no_script_and_sends_only_here(visitor: TestClient) -> None:
    """Also after a wrong token; a password manager fills it in."""
    wrong = visitor.post("/sign-in", data={"token": "wrong"}, headers={"Origin": HERE})
    for response in (visitor.get("/sign-in"), wrong):
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "form-action 'self'" in policy
        assert "script-src" not in policy


def test_a_browser_sends_the_forms_origin(visitor: TestClient) -> None:
    """With `no-referrer` it would send `Origin: null`, which is rejected."""
    assert visitor.get("/sign-in").headers["referrer-policy"] == "same-origin"


def test_reports_require_a_sign_in(visitor: TestClient) -> None:
    """No other file of the folder or above it is served; a run that wrote none has its report in the console."""
    assert visitor.get("/reports/2026-run.html").status_code == 401
    sign_in(visitor)

    assert visitor.get("/reports/2026-run.html").text == "a report"
    assert visitor.get("/reports/run-0a1b2c3d.html").text == "the report of a run"
    made_now = visitor.get("/reports/run-99999999.html", follow_redirects=False)
    assert made_now.headers["location"] == "/console/reports/run-99999999.html"
    for name in (
        "other.html",
        "..%2f..%2fui_token",
        "%2e%2e/ui_token",
        ".html",
        "2026-run.html%00",
    ):
        assert visitor.get(f"/reports/{name}").status_code == 404, name


def test_a_large_form_is_rejected(visitor: TestClient) -> None:
    """It can be sent without a sign-in."""
    answer = visitor.post("/sign-in", content=b"token=" + b"x" * 10_000, headers={"Origin": HERE})
    assert answer.status_code == 413


def test_the_token_is_generated_once_and_readable_by_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start uses the same one; a configured token takes precedence."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.delenv("MILLPOND_UI_TOKEN", raising=False)
    made = sign_in_token(MillpondSettings())

    assert len(made) >= 32
    assert sign_in_token(MillpondSettings()) == made
    assert (tmp_path / "ui_token").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("MILLPOND_UI_TOKEN", "a-given-token-of-24-char")
    assert sign_in_token(MillpondSettings()) == "a-given-token-of-24-char"


@pytest.mark.parametrize("content", [b"", b" \n", b"short", b"\xff\xfe\x00" + 30 * b"a", b"a" * 20 + b"\0" * 12])
def test_the_web_server_ends_with_one_line_if_its_token_is_not_whole(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nothing else checks it first: Compose and Kubernetes start this process."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.delenv("MILLPOND_UI_TOKEN", raising=False)
    (tmp_path / "ui_token").write_bytes(content)

    with pytest.raises(SystemExit, match=r"^.*ui_token holds no complete token; delete it, and the next start"):
        serve("127.0.0.1", 0)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_link_to_sign_in_is_usable_on_a_terminal_and_in_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool
) -> None:
    """Everything else that is printed has the token replaced by its name."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.delenv("MILLPOND_UI_TOKEN", raising=False)
    console = Output(file=io.StringIO(), width=60)
    console._force_terminal = is_terminal
    ready = _ready_lines(MillpondSettings(), "127.0.0.1", 3000, console)
    _print_ready(console, ready)
    printed, token = console.file.getvalue(), (tmp_path / "ui_token").read_text()  # type: ignore[attr-defined]

    assert (f"sign in: http://127.0.0.1:3000/?token={token}\n" in printed) is is_terminal
    assert (token in printed) is is_terminal
    console.print(token)
    assert console.file.getvalue().count(token) == is_terminal  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("host", "address", "is_refused"),
    [
        ("0.0.0.0", "http://127.0.0.1:3000", False),  # noqa: S104 - nothing listens here
        ("::", "http://[::1]:3000", False),
        ("192.0.2.7", "http://192.0.2.7:3000", True),
        ("192.0.2.8", "http://192.0.2.8:3000", False),
    ],
)
def test_the_printed_address_leads_to_the_ui(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, address: str, *, is_refused: bool
) -> None:
    """Also if it listens on every address; and a name that browsers may not use is named with the setting."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.setenv("MILLPOND_UI_ALLOWED_HOSTS", "192.0.2.8")
    ready = _ready_lines(MillpondSettings(), host, 3000, Output(file=io.StringIO()))

    assert f"the console is on {address}/console/, the Dagster UI on {address} " in ready[0]
    assert (f"add {host} to MILLPOND_UI_ALLOWED_HOSTS" in ready[-1]) is is_refused


def test_the_ui_is_found_at_the_address_on_which_it_listens() -> None:
    """Its guard answers only the names that it knows, as the webserver's does."""

    class Guarded(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.headers["Host"] == "localhost" else 421)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing to the test's output."""

    with http.server.HTTPServer(("127.0.0.2", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        port = server.server_port
        # not 127.0.0.1, where another program may have a connection from this port
        assert (_is_taken("127.0.0.2", port), _is_taken("127.0.0.3", port)) == (True, False)
        assert (_responds("127.0.0.2", port), _responds("127.0.0.3", port)) == (True, False)
        server.shutdown()


async def _failing(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - an ASGI application
    raise LookupError(scope["path"])


def test_an_error_has_the_headers_of_every_page() -> None:
    """Uvicorn's own page for it could be shown in a frame; nothing of the error is on ours."""
    token = "a-token-for-this-test"
    app = SignIn(_failing, Access(token, frozenset({"localhost"}), [], Users(Path("none"))))
    http = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
    found = http.get("/x-of-the-error", headers={"Authorization": f"Bearer {token}"})

    assert (found.status_code, found.headers["x-frame-options"]) == (500, "DENY")
    assert "frame-ancestors 'none'" in found.headers["content-security-policy"]
    assert "x-of-the-error" not in found.text


@pytest.mark.parametrize("path", ["*", "example.com:443", "", "//", "/console", "/docs"])
def test_every_path_of_a_request_reaches_an_application(path: str) -> None:
    """As `OPTIONS *` and `CONNECT example.com:443` have it."""
    reached: list[str] = []

    def application(name: str) -> ASGIApp:
        async def run(_scope: Scope, _receive: Receive, _send: Send) -> None:
            reached.append(name)

        return run

    async def nothing(*_: object) -> Message:
        return {}

    app = BesideDagster(*map(application, ("console", "dagster", "guide")))
    asyncio.run(app({"type": "http", "method": "OPTIONS", "path": path}, nothing, nothing))  # type: ignore[arg-type]

    assert reached == [{"/console": "console", "/docs": "guide"}.get(path, "dagster")]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": HERE, "Sec-Fetch-Site": "cross-site"}, {"Origin": HERE, "Sec-Fetch-Site": "same-site"},
        {"Origin": HERE.replace("http", "app")},
    ],
)  # fmt: skip
def test_a_page_of_another_scheme_of_this_host_is_another_site(visitor: TestClient, headers: dict[str, str]) -> None:
    """Whoever is on the way may serve the host without TLS, and its name and port are the same."""
    sign_in(visitor)
    assert visitor.post("/runs", headers={"Origin": HERE, "Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert visitor.post("/runs", headers=headers).status_code == 403


def test_a_session_ends_after_its_time_whatever_the_clock_is_set_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that was a year ahead at the sign-in and is corrected does not make it last for a year."""
    sessions, steadily = Sessions(), time.clock_gettime
    session = sessions.session("ada", "credential")
    for hours, is_valid in ((11, True), (13, False)):
        monkeypatch.setattr(
            "resources.clock.time.clock_gettime", lambda which, hours=hours: steadily(which) + hours * 3600
        )
        assert sessions.is_valid("session", session, "credential") is is_valid
