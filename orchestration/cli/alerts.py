"""`millpond alerts …`: try the receivers, and see what is open."""

import uuid
from contextlib import closing
from datetime import UTC, datetime

from rich.console import Console

from orchestration.alerts.sensor import receivers_of
from orchestration.alerts.store import Memory
from orchestration.settings import AlertSettings, MillpondSettings
from resources.notifiers.notice import Entry, Notice, NotToldError


def send_probe(console: Console) -> int:
    """Send a message to every receiver; returns the exit code."""
    settings = AlertSettings()
    try:
        receivers = receivers_of(settings)
    except ValueError as error:
        console.print(f"✗ {error}", style="red", markup=False, highlight=False)
        return 2
    if not receivers:
        console.print(
            "nobody is told yet: set MILLPOND_ALERT_WEBHOOK_URL, MILLPOND_ALERT_SLACK_URL or MILLPOND_ALERT_MAIL_HOST"
        )
        return 2
    at = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    probe = Entry("probe:probe", "opened", "probe", "this is a try; nothing is wrong", since=at)
    notice = Notice(uuid.uuid4().hex, at, "Millpond: a try", [probe], settings.link)
    failed = 0
    for name, receiver in receivers.items():
        try:
            receiver.tell(notice)
            console.print(f"✓ {name}", style="green", markup=False, highlight=False)
        except NotToldError as error:
            failed += 1
            console.print(f"✗ {error}", style="red", markup=False, highlight=False)
    return 1 if failed else 0


def print_open(console: Console) -> int:
    """List what is wrong now; returns the exit code: 1 when anything is."""
    with closing(Memory(MillpondSettings().alerts)) as memory:
        known = memory.open_problems()
    for problem, since in known.values():
        console.print(f"{problem.kind}: {problem.cause} (since {since})", markup=False, highlight=False, soft_wrap=True)
        for line in (", ".join(problem.affected), *problem.lines):
            if line:
                console.print(f"    {line}", markup=False, highlight=False, soft_wrap=True)
    if not known:
        console.print("nothing is wrong, as far as the last look tells")
    return 1 if known else 0
