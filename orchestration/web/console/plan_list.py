"""The list of plans: those that wait for a decision, and the last ones that got it.

sync_plans  ->  plan_list()
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assets.delivery.ledger.plans import OPEN_STATES, REPLACED
from orchestration.web.console.site import Account, Reading
from resources.clock import utc_now
from resources.warehouse.tables import has_table, read_frame
from resources.warehouse.warehouse import Warehouse

SHOWN = 60


@dataclass(frozen=True)
class PlanList:
    """The page; rows are those of sync_plans, the newest first."""

    open: list[dict[str, Any]]
    closed: list[dict[str, Any]]
    now: datetime


def plan_list(account: Account) -> tuple[PlanList, Reading]:
    """Return the page, and the time of the data."""
    now = utc_now(account.clock)
    if not account.live.exists():
        return PlanList([], [], now), Reading(now, is_empty=True)
    rows, reading = account.read(_rows)
    opened = [each for each in rows if each["state"] in OPEN_STATES]
    closed = [each for each in rows if each["state"] not in OPEN_STATES]
    return PlanList(opened, closed[:SHOWN], now), reading


def _rows(warehouse: Warehouse) -> list[dict[str, Any]]:
    with warehouse.writer(transaction=False) as con:
        if not has_table(con, "sync_plans"):
            return []
        # an open plan that writes nothing needs no decision
        return read_frame(
            con,
            "select plan_id, workflow, kind, undone_run, state, made_at, expires_at, state_at, writes, calls_needed,"
            f" seconds_needed, decided_by, note, {REPLACED} as is_replaced from sync_plans"
            " where state not in ('ready', 'waiting') or writes > 0"
            " order by state in ('ready', 'waiting') desc, state = 'waiting' desc, position desc nulls last limit ?",
            [SHOWN * 2],
        ).to_dicts()
