"""A server in a thread of the test, on a free port."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from orchestration.request_timeout import RequestTimeoutProtocol


@contextmanager
def serving(app: Any, **options: Any) -> Iterator[int]:
    """Serve an application as the commands do, within the block; yield its port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", http=RequestTimeoutProtocol, **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
