"""The overview: the state of each workflow, and its last runs.

sync_runs, sync_plans, sync_decisions, sync_certificates, switches  ->  overview()  ->  a Row per workflow
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from assets.delivery.ledger.certificates import Certificate, confirmed_since, file_text, newest_certificates
from assets.delivery.spec.switches import State
from assets.delivery.spec.workflow import Workflow
from orchestration.web.console.remedies import remedy
from orchestration.web.console.site import Account, Reading, Site
from orchestration.web.console.workflow_facts import workflow_facts
from resources.clock import utc_now
from resources.warehouse.warehouse import Warehouse

SHOWN_CAUSES = 3


@dataclass(frozen=True)
class Bar:
    """One run of the trend; heights are shares of 100, at least visible if there is anything."""

    run_id: str
    started_at: datetime
    state: str
    sent: int
    held: int
    failed: int
    height: float = 0
    held_height: float = 0


@dataclass(frozen=True)
class Cause:
    """Records that a workflow holds back for one reason of their own."""

    action: str
    code: str
    records: int
    title: str


@dataclass(frozen=True)
class Row:
    """One workflow.

    Attributes:
        freshness: fresh, late, or blank if its groups have no limit.
        certificate: Its newest certificate, as on the page of the certificates.
        confirmed: Records that it calls pending or wrong, and that were confirmed since.
        is_other_file: Whether the workflow file has changed since the certificate.
        plan: The newest open plan, as in sync_plans.
        shadow: The period of shadow mode that it is in, as in sync_shadow_periods.
        quota: The requests that its account of the target had left when any workflow used it last: calls_left, read_at.
    """

    workflow: str
    target: str
    switch: State | None
    last: Mapping[str, Any] | None = None
    compared_at: datetime | None = None
    freshness: str = ""
    certificate: Certificate | None = None
    confirmed: int = 0
    is_other_file: bool = False
    plan: Mapping[str, Any] | None = None
    shadow: Mapping[str, Any] | None = None
    held: int = 0
    causes: Sequence[Cause] = ()
    in_target: int = 0
    quota: Mapping[str, Any] | None = None
    trend: Sequence[Bar] = field(default_factory=list)

    @property
    def is_waiting(self) -> bool:
        """True if a plan waits for a person."""
        return bool(self.plan and self.plan["state"] == "waiting")


@dataclass(frozen=True)
class Overview:
    """The page; `totals` are of the workflows that are on."""

    rows: Sequence[Row]
    broken: Mapping[str, str]
    now: datetime

    @property
    def active(self) -> list[Row]:
        """The workflows that are on, or were: those with a plan or a delivery; those that need a person first."""
        found = [
            each for each in self.rows if (each.switch and each.switch.active) or each.plan or each.last or each.shadow
        ]
        return sorted(found, key=lambda each: (not each.is_waiting, each.freshness != "late"))

    @property
    def others(self) -> list[Row]:
        """The workflows that are off and never ran."""
        return [each for each in self.rows if each not in self.active]

    @property
    def waiting(self) -> int:
        """Plans that wait for a person."""
        return sum(1 for each in self.rows if each.plan and each.plan["state"] == "waiting")

    @property
    def held(self) -> int:
        """Records that are held back."""
        return sum(each.held for each in self.rows)

    @property
    def late(self) -> int:
        """Workflows that are late."""
        return sum(1 for each in self.rows if each.freshness == "late")


def overview(site: Site, account: Account) -> tuple[Overview, Reading]:
    """Return the page, and the time of the data."""
    files = site.files
    now = utc_now(account.clock)
    states = {each.name: _state(account, each) for each in files.workflows}

    def query(warehouse: Warehouse) -> list[Row]:
        found = workflow_facts(warehouse, now)
        with warehouse.writer(transaction=False) as con:
            certificates = newest_certificates(con)
            since = confirmed_since(con, certificates.values())
        proofs = {name: (each, since.get(name, 0)) for name, each in certificates.items()}
        quotas = _quotas(found, files.workflows)
        return [
            replace(
                _row(each, states[each.name], found, proofs.get(each.name, (None, 0)), files.groups, now),
                quota=quotas.get(each.spec.connection_name),
            )
            for each in files.workflows
        ]

    if not account.live.exists():
        rows = [Row(each.name, each.spec.target, states[each.name]) for each in files.workflows]
        return Overview(rows, files.broken, now), Reading(now, is_empty=True)
    rows, reading = account.read(query)
    return Overview(rows, files.broken, now), reading


def _state(account: Account, workflow: Workflow) -> State | None:
    try:
        return account.switches.state(workflow)
    except ValueError:  # the file is damaged; every run says so
        return None


def _quotas(found: Mapping[str, Any], workflows: Sequence[Workflow]) -> dict[str, Mapping[str, Any]]:
    """Return the newest reading of each account's quota, which all of its workflows share."""
    accounts = {each.name: each.spec.connection_name for each in workflows}
    rows = sorted(found.get("quota", []), key=lambda each: each["position"] or 0)
    return {accounts[each["workflow"]]: each for each in rows if each["workflow"] in accounts}


def _row(
    workflow: Workflow,
    state: State | None,
    found: Mapping[str, Any],
    proof: tuple[Certificate | None, int],
    groups: Any,
    now: datetime,
) -> Row:
    def of(name: str) -> list[dict[str, Any]]:
        return [each for each in found.get(name, []) if each["workflow"] == workflow.name]

    def one(name: str) -> Mapping[str, Any] | None:
        return next(iter(of(name)), None)

    causes = [
        Cause(each["action"], each["code"], each["records"], remedy(each["code"], each["action"]).title)
        for each in of("held")
    ]
    compared, hours = (one("compared") or {}).get("at"), groups.freshness_hours.get(workflow.name)
    # a clock that was set back makes nothing fresh
    is_late = bool(hours) and (compared is None or abs(now - compared) > timedelta(hours=hours or 0))
    return Row(
        workflow.name, workflow.spec.target, state,
        last=one("last"),
        compared_at=compared,
        freshness="" if not hours or not (state and state.active) else "late" if is_late else "fresh",
        certificate=proof[0],
        confirmed=proof[1],
        is_other_file=bool(proof[0] and file_text(proof[0], workflow.spec.version)),
        plan=one("plan"),
        shadow=one("shadow"),
        held=sum(each.records for each in causes),
        causes=causes[:SHOWN_CAUSES],
        in_target=(one("linked") or {}).get("records", 0),
        trend=_trend(of("trend")),
    )  # fmt: skip


def _trend(rows: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """Return the bars, each as high as its share of the highest one; the root shows small numbers beside large ones."""
    top = max((max(each["sent"], each["held"]) for each in rows), default=0) or 1

    def height(records: int) -> float:
        return round(max(6.0, 100 * (records / top) ** 0.5), 1) if records else 0

    return [
        Bar(
            each["run_id"], each["started_at"], each["state"], each["sent"], each["held"], each["failed"],
            height(each["sent"]), height(each["held"]),
        )
        for each in rows
    ]  # fmt: skip
