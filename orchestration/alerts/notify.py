"""Changes of state become notices, and notices are delivered.

current alerts  -  open alerts  ->  Notice  ->  outbox  ->  receivers, each until it accepts it

A notice is stored with the change that it reports, in one transaction, and delivered afterwards. If the process dies in
between, the next check delivers it, possibly twice with the same id, but never not at all.
"""

import re
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestration.alerts.conditions import Alert, Kind
from orchestration.alerts.store import AlertStore
from orchestration.configuration.secret_settings import redact
from resources.notifiers.notice import Entry, Notice, NotSentError, Receiver

OPENED, RECOVERED = "opened", "recovered"
KEEP_NOTICES_S = 3 * 24 * 3600.0  # a receiver that was unreachable for longer misses older notices
MAX_TITLE = 200
MAIL_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")


@dataclass
class CheckResult:
    """The result of a check.

    Attributes:
        alerts: The open alerts by key, each with the time it was opened.
        undelivered: Receivers that did not accept theirs, with the reason.
    """

    alerts: Mapping[str, tuple[Alert, str]] = field(default_factory=dict)
    notice: Notice | None = None
    delivered: int = 0
    undelivered: list[str] = field(default_factory=list)

    @property
    def open(self) -> int:
        """The number of open alerts."""
        return len(self.alerts)

    @property
    def text(self) -> str:
        """The result as text of the sensor's tick."""
        parts = [f"{self.open} open", f"new notice: {self.notice.title}" if self.notice else "nothing changed"]
        parts += [f"{self.delivered} delivered"] if self.delivered else []
        return "; ".join([*parts, *(f"not delivered: {each}" for each in self.undelivered)])


def update_alerts(
    store: AlertStore,
    current: Sequence[Alert],
    moment: datetime,
    *,
    unchecked: Collection[Kind] = (),
    link: str = "",
    account: str = "",
) -> Notice | None:
    """Store which alerts opened and which recovered; return one notice of both, or None if nothing changed.

    Args:
        store: The open alerts.
        current: The alerts found by this check.
        moment: The time of the check, UTC.
        unchecked: Kinds that could not be checked: none of their alerts recovers.
        link: Address of the UI.
        account: The account, for the title; blank: the only one.
    """
    known, at = store.open_alerts(), f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    failed = {name for each in current if each.kind is Kind.FAILED for name in each.affected}
    # a failed workflow becomes stale as well: that is the same incident
    found = {
        each.key: each for each in current
        if each.kind is not Kind.STALE or each.key in known or not set(each.affected) & failed
    }  # fmt: skip
    entries = []
    for key, alert in found.items():
        store.save_alert(alert, known[key][1] if key in known else at)
        if key not in known:
            entries.append(_entry(alert, OPENED, at))
    for key, (alert, since) in known.items():
        if key not in found and alert.kind not in unchecked:
            store.delete_alert(key)
            entries.append(_entry(alert, RECOVERED, since))
    if not entries:
        return None
    return Notice(uuid.uuid4().hex, at, _title(entries, account), entries, link)


def _entry(alert: Alert, state: str, since: str) -> Entry:
    lines = [_printable(line) for line in alert.lines] if state == OPENED else [f"since {since}"]
    return Entry(_printable(alert.key), state, alert.kind.value, _printable(alert.cause), alert.affected, lines, since)


def _printable(text: str) -> str:
    """The text without secrets and mail addresses."""
    return MAIL_ADDRESS.sub("<address>", redact(text))


def _title(entries: Sequence[Entry], account: str) -> str:
    prefix = f"Millpond ({account})" if account else "Millpond"
    if len(entries) == 1:
        (only,) = entries
        return f"{prefix}: {only.kind if only.state == OPENED else only.state}: {only.cause}"[:MAX_TITLE]
    counted = Counter(each.kind if each.state == OPENED else each.state for each in entries)
    return f"{prefix}: " + ", ".join(f"{count} {kind}" for kind, count in counted.items())


def deliver(store: AlertStore, receivers: Mapping[str, Receiver], result: CheckResult, now: float) -> None:
    """Deliver pending notices; those of a receiver that does not accept one stay in order for the next check."""
    store.delete_stale_notices(list(receivers), now - KEEP_NOTICES_S)
    for name, receiver in receivers.items():
        for number, notice in store.pending_notices(name):
            try:
                receiver.send(notice)
            except NotSentError as error:
                result.undelivered.append(str(error))
                break
            store.delete_notice(number)
            result.delivered += 1
