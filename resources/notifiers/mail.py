"""Send alerts by SMTP.

Notice  ->  plain text mail  ->  SMTP with TLS (implicit or STARTTLS)  ->  accepted, or NotSentError
"""

import smtplib
import socket
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Any, Literal

from resources.http_pool import ssl_context
from resources.notifiers.notice import Notice, NotSentError
from resources.notifiers.time_limit import TimeLimit
from resources.visible_text import visible

TIMEOUT_S = 15.0
MAX_REPLIES = 1_000_000  # bytes of one conversation
Tls = Literal["starttls", "tls", "none"]


@dataclass(frozen=True)
class Mail:
    """Recipients and the server that delivers to them.

    Attributes:
        port: The server's port; 587 for STARTTLS, 465 for implicit TLS.
        tls: Encryption of the connection; `none` never sends a password.
        user: User name; blank for no sign-in.
        ca_file: PEM file of a private certificate authority.
    """

    host: str
    sender: str
    to: tuple[str, ...]
    port: int = 587
    tls: Tls = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    name: str = "mail"

    def __post_init__(self) -> None:
        """Reject settings that cannot work or would expose a password."""
        if not self.sender or not self.to:
            raise ValueError("mail needs MILLPOND_ALERT_MAIL_FROM and MILLPOND_ALERT_MAIL_TO")
        if not all(each.isprintable() for each in (self.sender, *self.to)):  # a line break would begin another header
            raise ValueError("MILLPOND_ALERT_MAIL_FROM and MILLPOND_ALERT_MAIL_TO have addresses on one line")
        if self.user and self.tls == "none":
            raise ValueError("a password is sent over TLS only: set MILLPOND_ALERT_MAIL_TLS to starttls or tls")

    def send(self, notice: Notice) -> None:
        """Send one plain text mail to all recipients."""
        try:
            with TimeLimit() as limit, self._connect(limit) as server:
                if self.user:
                    server.login(self.user, self.password)
                rejected = server.send_message(self._message(notice))
        except (OSError, smtplib.SMTPException) as error:
            code = getattr(error, "smtp_code", "")  # the server's text may repeat an address
            raise NotSentError(f"{self.name}: {type(error).__name__} {code}".rstrip()) from error
        if rejected:
            raise NotSentError(f"{self.name}: {len(rejected)} of {len(self.to)} recipients rejected")

    def _connect(self, limit: TimeLimit) -> smtplib.SMTP:
        if self.tls == "tls":
            return _TlsServer(limit, self.host, self.port, self._ssl_context())
        server = _Server(limit, self.host, self.port)
        if self.tls == "starttls":
            try:
                server.starttls(context=self._ssl_context())
            except smtplib.SMTPNotSupportedError as error:
                server.close()
                fix = "set MILLPOND_ALERT_MAIL_TLS to tls, or to none in a network that you trust"
                raise NotSentError(f"{self.name}: the server does not offer STARTTLS; {fix}") from error
            except BaseException:
                server.close()
                raise
        return server

    def _ssl_context(self) -> ssl.SSLContext:
        return ssl_context(Path(self.ca_file) if self.ca_file else None)

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = visible(" ".join(notice.title.split()))  # a line break would begin another header
        message["From"], message["To"] = self.sender, ", ".join(self.to)
        message["Date"] = formatdate(localtime=False)
        message["Message-ID"] = f"<{notice.notice_id}@millpond>"
        message["Auto-Submitted"] = "auto-generated"  # suppresses automatic replies
        message.set_content(f"{notice.text}\n")
        return message


class _Replies:
    """The lines of a server, which may be endless."""

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, MAX_REPLIES

    def readline(self, size: int) -> bytes:
        line: bytes = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise smtplib.SMTPServerDisconnected(f"more than {MAX_REPLIES} bytes of replies")
        return line

    def close(self) -> None:
        self._file.close()


class _Server(smtplib.SMTP):
    """A connection to a server, within a time limit."""

    def __init__(self, limit: TimeLimit, host: str, port: int) -> None:
        self._limit = limit
        super().__init__(host, port, timeout=TIMEOUT_S)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]  # not in its stubs
        self._limit.watch(connection)
        return connection

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply."""
        if self.file is None and self.sock:
            self.file = _Replies(self.sock.makefile("rb"))
        return super().getreply()


class _TlsServer(smtplib.SMTP_SSL, _Server):
    """A connection that begins with TLS: SMTP_SSL secures the one that _Server opens."""

    def __init__(self, limit: TimeLimit, host: str, port: int, context: ssl.SSLContext) -> None:
        self._limit = limit
        smtplib.SMTP_SSL.__init__(self, host, port, timeout=TIMEOUT_S, context=context)
