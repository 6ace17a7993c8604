"""Meaning and fix of each alert, by the function that raises it.

conditions.py, run_failures.py, sensor.py  ->  ALERTS  ->  docs/reference/alerts.md
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from orchestration.alerts.conditions import Kind


class AlertText(NamedTuple):
    """One alert.

    Attributes:
        says: The cause as the message has it, with … for names and numbers.
        why: When it is raised.
        ends: When it is resolved, by itself.
    """

    kind: Kind
    says: str
    why: str
    fix: str
    ends: str


ALERTS: Final[Mapping[str, Sequence[AlertText]]] = {
    "run_alerts": [
        AlertText(
            Kind.FAILED,
            "system: reason",
            "A step of a run failed; all steps that failed for the same cause are one alert. None for what"
            " leaves nothing to correct: a decision that was refused, or a day's quota that is used up.",
            "Read the cause: `system: reason` names what to correct, see [Errors](errors.md). The run's page has more.",
            "the same step, or the same job, succeeds in a later run; after a plan that a person sent, or a run that"
            " was killed, its workflows are synced; or they are switched off",
        ),
    ],
    "check": [
        AlertText(
            Kind.FAILED,
            "the warehouse cannot be read: …",
            "The file is damaged, of a newer version, or held by a process for too long.",
            "`millpond doctor`; for a damaged file see [Backup and restore](../operate/backup.md).",
            "the warehouse can be read again",
        ),
        AlertText(
            Kind.FAILED,
            "the warehouse cannot be checked for alerts: …",
            "The check itself failed, so that other alerts of the warehouse neither open nor are resolved.",
            "The service's log has the error. `millpond upgrade --check` shows an upgrade that was not finished.",
            "a later check that finishes",
        ),
    ],
    "_warned": [
        AlertText(
            Kind.DEGRADED,
            "NetSuite …: the last read has warnings",
            "NetSuite left something out: a column, a table or deletion notes; or values changed without a date.",
            "Each line names what is missing; give the integration role the permission, or list the table in"
            " `MILLPOND_OPTIONAL_TABLES`. `millpond doctor` checks it. Nothing for values that changed without a date:"
            " they were read.",
            "a read without warnings",
        ),
    ],
    "_ledger_broken": [
        AlertText(
            Kind.DEGRADED,
            "the ledger is broken: … findings",
            "The nightly verification found a row, a checkpoint or a decision that was changed outside of Millpond.",
            "`millpond ledger verify` names each; [A ledger that cannot be bent](../ledger-audit.md) says what to do.",
            "a later verification finds nothing that no one acknowledged, such as after a backup was restored",
        ),
        AlertText(
            Kind.DEGRADED,
            "the ledger is not sealed",
            "The chain cannot be continued, such as without the key that signed its last checkpoint.",
            "The alert's line says what to set; the next run seals what was not sealed meanwhile. After a key was"
            " lost: `millpond ledger restart`.",
            "the nightly verification sealed the ledger",
        ),
    ],
    "_degraded": [
        AlertText(
            Kind.DEGRADED,
            "…: … records … for the same reason: missing_without_note",
            "NetSuite no longer shows records, and has no deletion note of them; raised whatever their number.",
            "Give the role access again. If they were deleted, deactivate them in the target, or see"
            " `missing_without_note` in [Reasons](reasons.md#missing_without_note).",
            "NetSuite shows them again, or a person decides",
        ),
        AlertText(
            Kind.DEGRADED,
            "…: … records … for the same reason: …",
            "More than `MILLPOND_ALERT_RECORD_LIMIT` records are held back by one cause, or had no response.",
            "Look up the code in [Reasons](reasons.md); the console's page *Held back* has the records.",
            "at most half as many are left",
        ),
    ],
    "_waiting": [
        AlertText(
            Kind.WAITING,
            "…: plan … of … records needs approval",
            "A guard found that the plan would change more than the workflow allows. An undo that waits is no alert.",
            "Read the plan (`millpond plans PLAN`, or the console), then apply or reject it.",
            "the plan is applied, rejected, replaced by a newer one, or expires",
        ),
    ],
    "_stale": [
        AlertText(
            Kind.STALE,
            "…: last updated at … UTC; the limit is … hours",
            "No run of the workflow ended within `freshness_hours` of its group.",
            "See whether the daemon runs (`millpond ui`), whether the schedule is on, and whether runs wait or fail.",
            "a run of the workflow ends",
        ),
    ],
    "check_alerts": [
        AlertText(
            Kind.UNRECONCILED,
            "…: … differences",
            "The job `reconcile` found that target and NetSuite differ, or could not verify all of it.",
            "The check `reconciled` of the sync asset lists the differences by cause; `millpond explain` one of them.",
            "a later reconciliation finds none",
        ),
    ],
}  # fmt: skip
