"""`millpond ui`: the Dagster UI and its daemon."""

from orchestration.cli.output import console
from orchestration.web.serve_ui import serve_ui


def ui(*, port: int = 3000, host: str = "127.0.0.1", read_only: bool = False) -> int:
    """Serve the Dagster UI, behind a sign-in, and its daemon.

    Args:
        port: Port to listen on.
        host: Address to listen on; the loopback address is only reachable from this machine.
        read_only: Let users see everything, and start and change nothing.
    """
    return serve_ui(console, port, host=host, read_only=read_only)
