"""A server that writes given bytes, for responses that no HTTP library would send."""

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
                    accepted.recv(65_536)
                    accepted.sendall(answer)

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        yield f"http{'s' if files else ''}://127.0.0.1:{listening.getsockname()[1]}"
