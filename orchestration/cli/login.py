"""`millpond login`: sign in to SuiteProjects Pro once, in the browser; runs renew the tokens afterwards.

login suiteprojects  ->  address to open  ->  code, by the loopback redirect or pasted  ->  token file
"""

import secrets
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from orchestration.cli.output import print_line, print_problems
from orchestration.clients import suiteprojects_fields
from orchestration.configuration.secret_settings import secret_value
from orchestration.configuration.settings import MillpondSettings
from resources.errors import CredentialsError, IntegrationError, RecordRejectedError
from resources.suiteprojects.connect import open_authorization
from resources.suiteprojects.tokens import TokenFile, issuer_of

SYSTEM = "suiteprojects"
WAIT_S = 300
LOOPBACK = ("127.0.0.1", "localhost")


class LoginError(Exception):
    """The sign-in failed; the text has the reason and a fix."""


def login(system: str, *, paste: bool = False) -> int:
    """Sign in to SuiteProjects Pro in the browser, once.

    Args:
        system: `suiteprojects`.
        paste: Paste the address that the browser was redirected to, if the browser runs on another machine.
    """
    if system != SYSTEM:
        print_problems([f"{system} has no browser sign-in; `millpond login {SYSTEM}` has"])
        return 2
    try:
        path = _sign_in(MillpondSettings(), paste=paste)
    except (IntegrationError, LoginError, OSError) as error:
        print_problems([str(error)])
        return 2
    print_line(f"signed in; the tokens are in {path}")
    return 0


def _sign_in(settings: MillpondSettings, *, paste: bool) -> Path:
    fields = suiteprojects_fields(settings)
    with open_authorization(
        base_url=fields.get("base_url", ""),
        client_id=fields.get("client_id", ""),
        client_secret="" if settings.sandbox else secret_value("SUITEPROJECTS_CLIENT_SECRET", settings.account),
        redirect_uri=fields["redirect_uri"],
        attempts=fields["attempts"],
        sandbox=fields["sandbox"],
    ) as connection:
        application, state = connection.application, secrets.token_urlsafe(16)
        issuer = issuer_of(connection.http.base_url, application.client_id)
        file = TokenFile(Path(fields["token_file"]), secret_value("MILLPOND_ENCRYPTION_KEY"), issuer)
        host = urlsplit(application.redirect_uri).hostname
        listener = None if paste or host not in LOOPBACK else _Listener(application.redirect_uri)
        print_line("open this address in a browser, sign in and approve access:")
        print_line(application.authorize_url(connection.http.base_url, state))
        code = code_of(listener.wait() if listener else _pasted(), state)
        with file.locked():
            try:
                tokens = application.exchange(
                    connection.http, connection.clock, grant_type="authorization_code", code=code
                )
            except RecordRejectedError as error:
                reason = (
                    "the code was rejected: it was used before, it expired, or the redirect URI is not the"
                    " registered one; run `millpond login suiteprojects` again"
                )
                raise CredentialsError(SYSTEM, "authorization code", reason) from error
            file.save(tokens)
    return file.path


def _pasted() -> str:
    print_line("then paste the address that the browser was redirected to, or the code in it:")
    return sys.stdin.readline().strip()


def code_of(answer: str, state: str) -> str:
    """Return the code in the redirect address, or the bare code.

    Raises:
        LoginError: There is no code, or it belongs to another sign-in.
    """
    values = {name: found[0] for name, found in parse_qs(urlsplit(answer).query).items()}
    if "error" in values:
        fix = "run `millpond login suiteprojects` again and approve access"
        raise LoginError(f"the service denied the sign-in ({values['error'][:40]}); {fix}")
    if "code" in values:
        if not secrets.compare_digest(values.get("state", "").encode(), state.encode()):
            fix = "run the command again and use the address that it prints"
            raise LoginError(f"the address belongs to another sign-in; {fix}")
        return values["code"]
    if not answer or "?" in answer or "/" in answer:
        raise LoginError("the address has no code; paste the whole address, with code=… in it")
    return answer


class _Listener:
    """Receives the browser's redirect on the loopback address."""

    def __init__(self, redirect_uri: str) -> None:
        url = urlsplit(redirect_uri)
        received: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            timeout = 5  # an idle connection does not block the browser's

            def do_GET(self) -> None:
                path = urlsplit(self.path)
                is_redirect = path.path.rstrip("/") == url.path.rstrip("/") and (
                    "code=" in path.query or "error=" in path.query
                )
                if is_redirect:
                    received.append(self.path)
                self.send_response(200 if is_redirect else 404)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.end_headers()
                self.wfile.write(b"Signed in. You can close this page.\n" if is_redirect else b"Nothing here.\n")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
                """Log nothing: the line would contain the code."""

        self._received = received
        # bound before the address is shown, so that a port in use is reported first
        try:
            self._server = HTTPServer((url.hostname or LOOPBACK[0], url.port or 80), Handler)
        except ValueError as error:
            raise LoginError(f"SUITEPROJECTS_REDIRECT_URI: {redirect_uri} has no such port: correct it") from error
        except OSError as error:
            fix = "stop the other program, register another redirect URI, or use `--paste`"
            raise LoginError(f"cannot listen at {redirect_uri}: {error.strerror}; {fix}") from error
        self._server.timeout = 1

    def wait(self) -> str:
        """Return the path and query of the redirect; LoginError if there was none within five minutes."""
        try:
            for _ in range(WAIT_S):
                self._server.handle_request()
                if self._received:
                    return self._received[0]
        finally:
            self._server.server_close()
        raise LoginError("no redirect from the browser within five minutes; on another machine use `--paste`")
