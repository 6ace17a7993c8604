"""A mailbox, by SMTP.

Notice  ->  plain text mail  ->  SMTP with TLS (at once, or after STARTTLS)  ->  accepted, or NotToldError
"""

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Literal

from resources.notifiers.notice import Notice, NotToldError

TIMEOUT_S = 15.0
Tls = Literal["starttls", "tls", "none"]


@dataclass(frozen=True)
class Mail:
    """Where mail goes.

    Attributes:
        host: SMTP server.
        sender: Address that the mail comes from.
        to: Addresses that get it.
        port: The server's port; 587 for STARTTLS, 465 for TLS at once.
        tls: How the line is secured; `none` never carries a password.
        user: Blank: no sign-in.
        password: A secret.
        ca_file: PEM file of an authority of one's own.
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
        """Refuse what could not work or would give a password away."""
        if not self.sender or not self.to:
            raise ValueError("mail needs MILLPOND_ALERT_MAIL_FROM and MILLPOND_ALERT_MAIL_TO")
        if self.user and self.tls == "none":
            raise ValueError("a password is sent over TLS only: set MILLPOND_ALERT_MAIL_TLS to starttls or tls")

    def tell(self, notice: Notice) -> None:
        """Send it as one plain text mail to everybody."""
        try:
            with self._connected() as server:
                if self.user:
                    server.login(self.user, self.password)
                refused = server.send_message(self._message(notice))
        except (OSError, smtplib.SMTPException) as error:
            code = getattr(error, "smtp_code", "")  # the server's words may repeat an address
            raise NotToldError(f"{self.name}: {type(error).__name__} {code}".rstrip()) from error
        if refused:
            raise NotToldError(f"{self.name}: {len(refused)} of {len(self.to)} recipients refused")

    def _connected(self) -> smtplib.SMTP:
        if self.tls == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_S, context=self._trust())
        server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S)
        if self.tls == "starttls":
            try:
                server.starttls(context=self._trust())
            except BaseException:
                server.close()
                raise
        return server

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(Path(self.ca_file)) if self.ca_file else None)

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = " ".join(notice.title.split())  # a line break would begin another header
        message["From"], message["To"] = self.sender, ", ".join(self.to)
        message["Date"] = formatdate(localtime=False)
        message["Message-ID"] = f"<{notice.notice_id}@millpond>"
        message["Auto-Submitted"] = "auto-generated"  # no holiday answers
        message.set_content(f"{notice.text}\n")
        return message
