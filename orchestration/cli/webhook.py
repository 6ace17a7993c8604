"""`millpond webhook`: serve the webhook until it is told to end."""

import logging
import os

import uvicorn
from rich.console import Console
from rich.logging import RichHandler

from orchestration.cli.output import print_problems
from orchestration.realtime.queue import NotificationQueue
from orchestration.realtime.webhook import LEAST_SECRET, Gate, Webhook
from orchestration.settings import MillpondSettings, netsuite_settings
from resources.netsuite.webhook_signature import PATH

LOOPBACK = ("127.0.0.1", "localhost", "::1")
IDLE_S = 5  # of a connection that says nothing
MOST_AT_ONCE = 100  # connections; the next one is told to try again


def gate_of(settings: MillpondSettings) -> Gate:
    """What a post must show, by the settings.

    Raises:
        ValueError: There is no secret, or one that is easily guessed.
    """
    secrets = [each.strip() for each in os.environ.get("MILLPOND_WEBHOOK_SECRETS", "").split(",") if each.strip()]
    if not secrets:
        raise ValueError(
            "MILLPOND_WEBHOOK_SECRETS is not set: anybody could send change notifications; see .env.example"
        )
    if any(len(each) < LEAST_SECRET for each in secrets):
        raise ValueError(f"MILLPOND_WEBHOOK_SECRETS: each takes {LEAST_SECRET} characters or more")
    names = {name.strip().lower() for name in settings.webhook_names.split(",") if name.strip()}
    return Gate(
        secrets=secrets,
        names=frozenset({*LOOPBACK, *names}),
        window_s=settings.webhook_window_s,
        most_bytes=settings.webhook_most_bytes,
        # the sandbox is an account of its own
        account="" if settings.sandbox else netsuite_settings(settings.account).account,
    )


def serve_webhook(console: Console, *, host: str = "", port: int | None = None) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code."""
    settings = MillpondSettings()
    try:
        gate = gate_of(settings)
    except ValueError as error:
        print_problems([str(error)], console)
        return 2
    where, at = host or settings.webhook_host, settings.webhook_port if port is None else port
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=console)])
    config = uvicorn.Config(
        Webhook(gate, NotificationQueue(settings.own)).app(), host=where, port=at, log_level="warning",
        access_log=False, server_header=False, proxy_headers=False, timeout_keep_alive=IDLE_S,
        limit_concurrency=MOST_AT_ONCE,
    )  # fmt: skip
    console.print(f"change notifications are taken on http://{where}:{at}{PATH}", highlight=False, soft_wrap=True)
    server = uvicorn.Server(config)
    server.run()
    return 0 if server.started else 1
