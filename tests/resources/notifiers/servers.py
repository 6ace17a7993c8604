"""A small HTTP server and a small SMTP server on this machine that record alerts."""

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from resources.notifiers.notice import Entry, Notice
from resources.sandbox.certificates import TlsFiles


def notice(**changes: Any) -> Notice:
    """Return a notice of one failure."""
    entry = Entry(
        "failed:x", "opened", "failed", "netsuite: HTTP <503> & more", ("customers", "projects"), ("run 1",), "today"
    )
    given = {"notice_id": "n1", "at": "2026-11-22 02:00:00 UTC", "title": "Millpond: 1 failed", "entries": [entry]}
    return Notice(**{**given, **changes})


@dataclass
class Posted:
    """Requests that an HTTP server received; `status` is its response."""

    url: str = ""
    status: int = 200
    location: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def http_server() -> Iterator[Posted]:
    """Run a server on the loopback address that records its requests."""
    posted = Posted()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(posted.status)
            if posted.location:
                self.send_header("Location", posted.location)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        posted.url = f"http://127.0.0.1:{server.server_port}/hook"
        try:
            yield posted
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Mailbox:
    """Mails that an SMTP server received."""

    port: int = 0
    mails: list[Message] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    rejects: str = ""


class _Session(socketserver.StreamRequestHandler):
    """One SMTP session, as far as smtplib needs it."""

    mailbox: Mailbox
    tls: ssl.SSLContext | None
    at_once: bool

    def handle(self) -> None:  # noqa: C901 - one branch per command
        """Answer each command."""
        secured = False
        if self.tls and self.at_once:
            self._secure()
            secured = True
        self._say("220 a small server")
        while line := self.rfile.readline():
            verb = line.decode().strip().upper()
            if verb.startswith("EHLO"):
                offers = ["AUTH PLAIN"] if secured else ["STARTTLS"] if self.tls else []
                self._say("\r\n".join(["250-here", *(f"250-{each}" for each in offers), "250 SIZE 1000000"]))
            elif verb == "STARTTLS":
                self._say("220 go on")
                self._secure()
                secured = True
            elif verb.startswith("AUTH"):
                self.mailbox.signed_in.append(line.decode().split()[-1])
                self._say("235 welcome")
            elif verb.startswith("RCPT"):
                if self.mailbox.rejects and self.mailbox.rejects in line.decode():
                    self._say("550 no such recipient")
                else:
                    self.mailbox.recipients.append(line.decode().split("<")[1].split(">")[0])
                    self._say("250 fine")
            elif verb == "DATA":
                self._say("354 go on")
                body = b""
                while not body.endswith(b"\r\n.\r\n"):
                    body += self.rfile.readline()
                self.mailbox.mails.append(message_from_bytes(body[:-3]))
                self.mailbox.secured.append(secured)
                self._say("250 taken")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
        self.wfile.flush()

    def _secure(self) -> None:
        assert self.tls is not None
        secure = self.tls.wrap_socket(self.connection, server_side=True)
        self.connection = secure
        self.rfile, self.wfile = secure.makefile("rb"), secure.makefile("wb")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, *_args: object) -> None:
        """A client that does not trust us ends the line: that is what is tested."""


@contextmanager
def smtp_server(files: TlsFiles | None = None, *, at_once: bool = False) -> Iterator[Mailbox]:
    """Run a server on the loopback address that records its mails."""
    mailbox, context = Mailbox(), None
    if files:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(files.certificate, files.key)
    own: dict[str, Any] = {"mailbox": mailbox, "tls": context, "at_once": at_once}
    with _Server(("127.0.0.1", 0), type("Session", (_Session,), own)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        mailbox.port = server.server_address[1]
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()
