"""A server that writes given bytes, for responses that no HTTP library would send."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from resources.sandbox.certificates import TlsFiles


@contextmanager
def raw_server(*answers: bytes, files: TlsFiles | None = None) -> Iterator[str]:
    """Run a server on the loopback address that writes these bytes, one per connection, and hangs up.

    Args:
        answers: The bytes.
        files: Certificates, for TLS.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if files:
        context.load_cert_chain(files.certificate, files.key)

    def serve(listening: socket.socket) -> None:
        for answer in answers:
            connection, _ = listening.accept()
            with suppress(OSError), connection:
                accepted = context.wrap_socket(connection, server_side=True) if files else connection
                with accepted:
                    _receive(accepted)
                    accepted.sendall(answer)

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        yield f"http{'s' if files else ''}://127.0.0.1:{listening.getsockname()[1]}"


def _receive(connection: socket.socket) -> None:
    """Receive a whole request: a client that is still sending its body would see a reset instead of the answer."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65_536)
        if not part:
            return
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    missing = (int(length[1]) if length else 0) - len(body)
    while missing > 0 and (part := connection.recv(65_536)):
        missing -= len(part)
