"""Sign in to SuiteProjects Pro once, in the browser; runs renew the tokens from then on.

millpond login suiteprojects  ->  address to open  ->  code, by the loopback redirect or pasted  ->  token file
"""

import os
import secrets
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from rich.console import Console

from orchestration.cli.doctor import secrets_of
from orchestration.cli.output import print_problems
from orchestration.settings import MillpondSettings, suiteprojects_connection
from resources.errors import CredentialsError, IntegrationError, RecordRejectedError
from resources.suiteprojects.connect import open_authorization
from resources.suiteprojects.tokens import TokenFile

SYSTEM = "suiteprojects"
WAIT_S = 300
LOOPBACK = ("127.0.0.1", "localhost")
ASKED = ("base_url", "client_id", "client_secret", "redirect_uri", "attempts", "sandbox")


class RefusedLoginError(Exception):
    """What came back from the browser cannot be used; the text says why."""


def print_login(system: str, console: Console, *, paste: bool) -> int:
    """Let a person agree in the browser and keep the tokens; returns the exit code."""
    if system != SYSTEM:
        print_problems([f"{system} has no sign-in of this kind; there is `millpond login {SYSTEM}`"], console)
        return 2
    settings = MillpondSettings()
    given = {**suiteprojects_connection(settings), **secrets_of(SYSTEM, settings)}
    try:
        path = _login(given, console, paste=paste)
    except (IntegrationError, RefusedLoginError, OSError) as error:
        print_problems([str(error)], console)
        return 2
    console.print(f"signed in; the tokens are kept in {path}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _login(given: dict[str, object], console: Console, *, paste: bool) -> Path:
    file = TokenFile(Path(str(given["token_file"])), os.environ.get("MILLPOND_SEAL_KEY", ""))
    with open_authorization(**{name: given[name] for name in ASKED if name in given}) as way:  # type: ignore[arg-type]
        application, state = way.application, secrets.token_urlsafe(16)
        host = urlsplit(application.redirect_uri).hostname
        server = None if paste or host not in LOOPBACK else _Listener(application.redirect_uri)
        console.print("open this address in a browser, sign in and agree:", highlight=False)
        address = application.authorize_url(way.http.base_url, state)
        console.print(address, markup=False, highlight=False, soft_wrap=True)
        code = code_of(server.wait() if server else _pasted(console), state)
        with file.alone():
            try:
                tokens = application.exchange(way.http, way.clock, grant_type="authorization_code", code=code)
            except RecordRejectedError as error:
                reason = (
                    "the code was refused: it is used or too old, or the redirect address is not the registered one"
                )
                raise CredentialsError(SYSTEM, "authorization code", reason) from error
            file.keep(tokens)
    return file.path


def _pasted(console: Console) -> str:
    console.print("then paste the address to which the browser was sent, or the code in it:", highlight=False)
    return sys.stdin.readline().strip()


def code_of(answer: str, state: str) -> str:
    """The code in the address that the browser was sent to, or the code itself.

    Raises:
        RefusedLoginError: There is none, or it answers another question than ours.
    """
    asked = {name: values[0] for name, values in parse_qs(urlsplit(answer).query).items()}
    if "error" in asked:
        raise RefusedLoginError(f"the service refused: {asked['error'][:40]}")
    if "code" in asked:
        if not secrets.compare_digest(asked.get("state", "").encode(), state.encode()):
            raise RefusedLoginError("the answer belongs to another sign-in: start again and use the address shown last")
        return asked["code"]
    if not answer or "?" in answer or "/" in answer:
        raise RefusedLoginError("there is no code in it: paste the whole address, which has code=… in it")
    return answer


class _Listener:
    """Takes one call of the browser on the loopback address."""

    def __init__(self, redirect_uri: str) -> None:
        url = urlsplit(redirect_uri)
        answered: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            timeout = 5  # who connects and says nothing does not keep the browser waiting

            def do_GET(self) -> None:
                path = urlsplit(self.path)
                ours = path.path.rstrip("/") == url.path.rstrip("/") and (
                    "code=" in path.query or "error=" in path.query
                )
                if ours:
                    answered.append(self.path)
                self.send_response(200 if ours else 404)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.end_headers()
                self.wfile.write(b"Signed in. You can close this page.\n" if ours else b"Nothing here.\n")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
                """The line would hold the code."""

        self._answered = answered
        # bound before the address is shown, so that a port in use is told first
        try:
            self._server = HTTPServer((url.hostname or LOOPBACK[0], url.port or 80), Handler)
        except OSError as error:
            mend = "stop the other program, register another redirect address, or use `--paste`"
            raise RefusedLoginError(f"nobody can listen at {redirect_uri}: {error.strerror}; {mend}") from error
        self._server.timeout = 1

    def wait(self) -> str:
        """The path and query of the call.

        Raises:
            RefusedLoginError: Nobody came.
        """
        try:
            for _ in range(WAIT_S):
                self._server.handle_request()
                if self._answered:
                    return self._answered[0]
        finally:
            self._server.server_close()
        raise RefusedLoginError("nobody came back from the browser; on another machine use `--paste`")
