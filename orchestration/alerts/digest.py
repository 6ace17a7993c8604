"""The digest: for each steward, the records that cannot be sent until they are corrected, by cause.

stewards of the workflow files, decisions of the last runs  ->  digests()  ->  Digest  ->  send()  ->  mail, or Slack

Records that wait for one that the workflow does not select, such as the contacts of a lead, are no steward's task and
are left out.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from assets.delivery.audit.held_back import (
    CAUSE,
    held_back,
    held_records,
    of_cause,
    reasons_text,
    waits_for,
    without_values,
)
from assets.delivery.audit.record_links import RecordLinks
from assets.delivery.reasons import NOTHING, reason_of
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import HELD
from assets.result_texts import counted, singular
from orchestration.alerts.notify import MAX_TITLE, OPENED
from orchestration.configuration.secret_settings import redact
from resources.notifiers.mail import Mail
from resources.notifiers.notice import Entry, Notice, NotSentError, Receiver
from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse

KIND = "held back"
MAX_RECORDS = 10  # of each cause; the console has the others
_NAMESPACE = uuid.UUID("5c1de4a6-5a0e-5d6a-9b55-0f6f7a1f2c11")


@dataclass(frozen=True)
class Cause:
    """Records that one workflow holds back for one reason.

    Attributes:
        text: The cause, with the number of records.
        task: Where something has to be done, and what.
        since: Time of the oldest decision, UTC, as text; blank: today.
        lines: The records: source, id, name, address in NetSuite.
    """

    workflow: str
    text: str
    task: str
    since: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Digest:
    """The message for one steward; there is none without a cause."""

    steward: str
    records: int
    causes: Sequence[Cause]


def digests(
    warehouse: Warehouse, workflows: Mapping[str, Workflow], active: Iterable[str], links: RecordLinks, now: datetime
) -> list[Digest]:
    """Return a digest for each steward whose workflows hold records back.

    Args:
        warehouse: The warehouse; if it hides personal values, a digest has ids instead of names.
        workflows: All usable workflows by name.
        active: Those that run.
        links: Addresses of records.
        now: The time of the ledger, UTC.
    """
    running = set(active)
    named = {name: each for name, each in workflows.items() if name in running and each.spec.stewards}
    with warehouse.writer(transaction=False) as con:
        if not has_table(con, "sync_decisions"):
            return []
        held = {name: held_records(con, [each], workflows, {}, now) for name, each in named.items()}
    causes: dict[str, list[Cause]] = {}
    counts: dict[str, int] = {}
    for name, records in held.items():
        own = records.filter(pl.col("root_action").is_in(list(HELD)))
        shown = without_values(own) if warehouse.hides_personal else own
        for steward in dict.fromkeys(named[name].spec.stewards) if own.height else ():
            causes.setdefault(steward, []).extend(_causes(name, shown, links))
            counts[steward] = counts.get(steward, 0) + own.height
    return [Digest(steward, counts[steward], found) for steward, found in causes.items()]


def _causes(workflow: str, records: pl.DataFrame, links: RecordLinks) -> list[Cause]:
    found = []
    for row in held_back(records).iter_rows(named=True):
        those = of_cause(records, {name: row[name] or "" for name in CAUSE})
        reason = reason_of(row["root_code"] or "")
        waits, why = waits_for(row), reasons_text(row)
        text = f"{counted(row['records'], row['source'])} {row['action']}: {waits or why}"
        if waits:
            text += f" ({why})"
        task = f"{reason.task}: {reason.fix}" if reason and reason.task != NOTHING else ""
        since = f"{row['since']:%Y-%m-%d}" if row["since"] else ""
        found.append(Cause(workflow, text, task, since, _lines(those, links)))
    return found


def _lines(records: pl.DataFrame, links: RecordLinks) -> list[str]:
    """Return one line for each record to be corrected, the first MAX_RECORDS of them."""
    roots = records.select("root_source", "root_source_id", "root_name").unique(maintain_order=True)
    lines = [
        " ".join(part for part in (singular(source), key, name, links.netsuite(source, key)) if part)
        for source, key, name in roots.head(MAX_RECORDS).iter_rows()
    ]
    more = roots.height - MAX_RECORDS
    return [*lines, f"… and {more:,} more"] if more > 0 else lines


def notice_of(digest: Digest, moment: datetime, *, link: str = "", account: str = "") -> Notice:
    """Return a digest as a notice; its id is the same for the same steward and content within one week."""
    title = f"Millpond{f' ({account})' if account else ''}: {counted(digest.records, 'records')} cannot be sent"
    entries = [
        Entry(
            f"{each.workflow}:{number}", OPENED, KIND, redact(each.text), (each.workflow,),
            [redact(line) for line in (*([each.task] if each.task else []), *each.lines)], each.since,
        )
        for number, each in enumerate(digest.causes)
    ]  # fmt: skip
    week = "-".join(map(str, moment.isocalendar()[:2]))
    content = repr((account, digest.steward, week, entries))
    return Notice(uuid.uuid5(_NAMESPACE, content).hex, f"{moment:%Y-%m-%d %H:%M} UTC", title[:MAX_TITLE], entries, link)


def send(
    found: Sequence[Digest], receivers: Mapping[str, Receiver], moment: datetime, *, link: str = "", account: str = ""
) -> list[str]:
    """Send each digest by mail to its steward, or to Slack if there is no mail; return what could not be sent.

    An error names the steward by number, as its text goes into logs.
    """
    mail, problems = receivers.get("mail"), []
    other = receivers.get("slack")
    if found and not (isinstance(mail, Mail) or other):
        return ["no receiver for the digest; set MILLPOND_ALERT_MAIL_HOST, or MILLPOND_ALERT_SLACK_URL"]
    for number, digest in enumerate(found, 1):
        notice = notice_of(digest, moment, link=link, account=account)
        if isinstance(mail, Mail):
            receiver: Receiver | None = replace(mail, to=(digest.steward,))
        else:  # a channel has many readers
            receiver, notice = other, replace(notice, title=f"{notice.title} (for {digest.steward})"[:MAX_TITLE])
        try:
            if receiver:
                receiver.send(notice)
        except NotSentError as error:
            problems.append(f"the digest of steward {number} of {len(found)} was not sent: {error}")
    return problems
