"""Send alerts by SMTP.

Notice  ->  plain text mail  ->  SMTP with TLS (implicit or STARTTLS)  ->  accepted, or NotSentError
"""

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Literal

from resources.http_pool import ssl_context
from resources.notifiers.notice import Notice, NotSentError
from resources.visible_text import visible

TIMEOUT_S = 15.0
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
            with self._connect() as server:
                if self.user:
                    server.login(self.user, self.password)
                rejected = server.send_message(self._message(notice))
        except (OSError, smtplib.SMTPException) as error:
            code = getattr(error, "smtp_code", "")  # the server's text may repeat an address
            raise NotSentError(f"{self.name}: {type(error).__name__} {code}".rstrip()) from error
        if rejected:
            raise NotSentError(f"{self.name}: {len(rejected)} of {len(self.to)} recipients rejected")

    def _connect(self) -> smtplib.SMTP:
        if self.tls == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_S, context=self._ssl_context())
        server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S)
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
