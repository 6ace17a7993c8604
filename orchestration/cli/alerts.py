"""`millpond alerts …`: test the receivers, and list the open alerts."""

import uuid
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime

from cyclopts import App

from orchestration.alerts.sensor import receivers_of
from orchestration.alerts.store import AlertStore
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import print_line, print_problems, print_wrapped
from orchestration.configuration.settings import AlertSettings, MillpondSettings
from resources.notifiers.notice import Entry, Notice, NotSentError

app = App(name="alerts", help="Test the alert receivers, and list the open alerts.", suppress_keyboard_interrupt=False)


@app.command
@with_json
def test() -> int:
    """Send a test message to every configured receiver."""
    settings = AlertSettings()
    try:
        receivers = receivers_of(settings)
    except ValueError as error:
        print_problems([str(error)])
        return 2
    if not receivers:
        names = "MILLPOND_ALERT_WEBHOOK_URL, MILLPOND_ALERT_SLACK_URL or MILLPOND_ALERT_MAIL_HOST"
        print_problems([f"no alert receiver is configured; set {names}"])
        return 2
    at = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    entry = Entry("test:test", "opened", "test", "this is a test message", since=at)
    notice = Notice(uuid.uuid4().hex, at, "Millpond: test message", [entry], settings.ui_url)
    failed = 0
    for name, receiver in receivers.items():
        try:
            receiver.send(notice)
            print_line(f"✓ {name}", "green")
        except NotSentError as error:
            failed += 1
            print_problems([str(error)])
    return 1 if failed else 0


@app.command
@with_json
def show() -> int:
    """List the open alerts, as of the last check of the alert sensor."""
    with closing(AlertStore(MillpondSettings().alerts)) as store:
        known = store.open_alerts()
    note(alerts=[{**asdict(alert), "since": since} for alert, since in known.values()])
    for alert, since in known.values():
        print_wrapped(f"{alert.kind}: {alert.cause} (since {since})")
        for line in (", ".join(alert.affected), *alert.lines):
            if line:
                print_wrapped(line, indent=4)
    if not known:
        print_line("no open alerts as of the last check")
    return 1 if known else 0
