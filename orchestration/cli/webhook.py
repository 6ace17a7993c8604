"""`millpond webhook`: serve the webhook until it is stopped."""

import logging
from contextlib import suppress

import uvicorn
from rich.console import Console
from rich.logging import RichHandler

from orchestration.cli.output import console, print_line, print_problems
from orchestration.configuration.secret_settings import secret_value
from orchestration.configuration.settings import MillpondSettings, netsuite_settings, split_list
from orchestration.realtime.queue import NotificationQueue
from orchestration.realtime.webhook import MIN_SECRET, Gate, Webhook
from orchestration.request_timeout import RequestTimeoutProtocol
from orchestration.server_log import limit_warnings
from resources.netsuite.webhook_signature import PATH

LOOPBACK = ("127.0.0.1", "localhost", "::1")
IDLE_S = 5  # of a silent connection
MAX_CONNECTIONS = 100  # at once; a further one takes the place of one that waits for its client


def webhook(*, host: str = "", port: int | None = None) -> int:
    """Receive NetSuite's change notifications.

    Args:
        host: Address to listen on; MILLPOND_WEBHOOK_HOST when omitted.
        port: Port to listen on; MILLPOND_WEBHOOK_PORT when omitted.
    """
    settings = MillpondSettings()
    try:
        gate = gate_of(settings)
    except ValueError as error:
        print_problems([str(error)])
        return 2
    host, port = host or settings.webhook_host, settings.webhook_port if port is None else port
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[log_handler(console)])
    limit_warnings()
    config = uvicorn.Config(
        Webhook(gate, NotificationQueue(settings.account_home)).app(), host=host, port=port, log_level="warning",
        access_log=False, server_header=False, proxy_headers=False, timeout_keep_alive=IDLE_S,
        limit_concurrency=MAX_CONNECTIONS, http=RequestTimeoutProtocol, headers=[("connection", "close")],
    )  # fmt: skip
    print_line(f"receiving change notifications on http://{host}:{port}{PATH}")
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # the signal that stopped it, after every response was sent
        server.run()
    return 0 if server.started else 1


def log_handler(console: Console) -> logging.Handler:
    """Return a handler that prints each message with its time, without its place in the code."""
    return RichHandler(console=console, show_path=False, omit_repeated_times=False)


def gate_of(settings: MillpondSettings) -> Gate:
    """Return the conditions that a notification must meet.

    Raises:
        ValueError: There is no secret, or one that is too short.
    """
    secrets = split_list(secret_value("MILLPOND_WEBHOOK_SECRETS"))
    if not secrets:
        raise ValueError("MILLPOND_WEBHOOK_SECRETS is not set: anyone could send notifications; see .env.example")
    if any(len(each) < MIN_SECRET for each in secrets):
        raise ValueError(f"MILLPOND_WEBHOOK_SECRETS: each secret needs {MIN_SECRET} characters or more")
    return Gate(
        secrets=secrets,
        hosts=frozenset({*LOOPBACK, *split_list(settings.webhook_allowed_hosts.lower())}),
        window_s=settings.webhook_window_s,
        max_bytes=settings.webhook_max_bytes,
        # the sandbox has its own account
        account="" if settings.sandbox else netsuite_settings(settings.account).account,
    )
