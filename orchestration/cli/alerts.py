"""`millpond alerts …`: test the receivers, check for alerts, and list the open ones."""

import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from cyclopts import App

from orchestration.alerts.conditions import Alert
from orchestration.alerts.sensor import check_account, receivers_of
from orchestration.alerts.store import AlertStore
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import print_line, print_problems, print_wrapped
from orchestration.configuration.settings import AlertSettings, MillpondSettings
from orchestration.dagster_instance import open_instance
from orchestration.opened_warehouse import warehouse_of
from orchestration.workflow_files import load_user_files
from resources.notifiers.notice import Entry, Notice, NotSentError

FRESH = timedelta(minutes=10)  # the sensor checks every 30 seconds; a run's own work may keep it waiting

app = App(
    name="alerts",
    help="Test the alert receivers, check for alerts, and list the open ones.",
    suppress_keyboard_interrupt=False,
)


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
def check() -> int:
    """Check for alerts now, send what changed to the receivers, and list the open alerts.

    Without a receiver in its environment it only lists them: the service then still sends what changed.
    """
    settings = MillpondSettings()
    files = load_user_files(settings.workflows)
    with open_instance(settings) as instance:
        result = check_account(
            instance, warehouse_of(settings), settings, files.workflows, files.groups.freshness_hours,
            keep_without_receiver=False,
        )  # fmt: skip
    print_problems([f"not delivered: {each}" for each in result.undelivered])
    _print(result.alerts, datetime.now(UTC))
    if not result.alerts:
        print_line("no open alerts")
    return 1 if result.alerts or result.undelivered else 0


@app.command
@with_json
def show() -> int:
    """List the open alerts, as of the last check."""
    with closing(AlertStore(MillpondSettings().alerts)) as store:
        known, last = store.open_alerts(), store.last_check()
    checked = datetime.fromtimestamp(last, UTC) if last else None
    _print(known, checked)
    if problem := _old_check(checked):
        print_problems([problem])
    elif not known:
        print_line(f"no open alerts at the last check, {checked:%Y-%m-%d %H:%M} UTC")
    return 1 if known or problem else 0


def _print(known: Mapping[str, tuple[Alert, str]], checked: datetime | None) -> None:
    note(alerts=[{**asdict(alert), "since": since} for alert, since in known.values()], checked_at=checked)
    for alert, since in known.values():
        print_wrapped(f"{alert.kind}: {alert.cause} (since {since})")
        for line in (", ".join(alert.affected), *alert.lines):
            if line:
                print_wrapped(line, indent=4)


def _old_check(checked: datetime | None) -> str:
    """Return why the open alerts say nothing about now; blank if they do."""
    how = "`millpond ui` checks every 30 seconds; without it, `millpond alerts check` lists what is open now"
    if checked is None:
        return f"nothing has been checked yet; {how}"
    if abs(datetime.now(UTC) - checked) > FRESH:
        return f"the last check was at {checked:%Y-%m-%d %H:%M} UTC: does the service run? {how}"
    return ""
