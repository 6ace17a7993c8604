"""One plan: what it writes, page by page, what follows from it, and whether it can still be approved.

sync_plans, plan_<workflow>, names  ->  plan_page()  ->  PlanPage
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from assets.delivery.audit.plan_review import ORDER, PlannedWrite, names_behind, planned_writes
from assets.delivery.audit.value_names import Names
from assets.delivery.ledger import plans
from assets.delivery.ledger.events import Happened, details_of
from assets.delivery.ledger.plan_kind import PlanKind
from assets.delivery.ledger.plans import OPEN_STATES, PlanState, StoredPlan
from assets.delivery.spec.workflow import Workflow
from assets.warehouse.record_names import NO_NAMES, named_records, names_of
from orchestration.web.console.pages import PER_PAGE
from orchestration.web.console.plan_queries import WRITES, Filters, facets, found_records
from orchestration.web.console.site import Account, Reading, Site
from resources.clock import steady, utc_now
from resources.warehouse.tables import has_table, quoted, read_frame
from resources.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class PlanPage:
    """A page of a plan.

    Attributes:
        problem: Why it cannot be approved; blank if it can.
        newer: A newer plan of the workflow.
        counts: Records by action.
        codes: Records by reason code: code, a reason, records.
        fields: Changed fields with their number of records.
        writes: The records of this page.
        parents: Names of the parents of the records of this page, by source and id.
        total: Number of records that the filters let through.
        conflicts: Records that an undo leaves as they are.
        said: What people said of it, the last first: event, note, only (the parts that were approved).
        is_kept: Whether its rows still exist.
        is_hidden: Whether values are hidden.
        sealed: Why values cannot be decrypted; blank if they can.
    """

    plan: Mapping[str, Any]
    now: datetime
    problem: str = ""
    newer: str = ""
    counts: Sequence[tuple[str, int]] = ()
    codes: Sequence[tuple[str, str, int]] = ()
    fields: Sequence[tuple[str, int]] = ()
    writes: Sequence[PlannedWrite] = ()
    parents: Mapping[tuple[str, str], str] | None = None
    names: Names | None = None
    total: int = 0
    conflicts: int = 0
    said: Sequence[Mapping[str, Any]] = ()
    is_kept: bool = True
    is_hidden: bool = False
    sealed: str = ""

    @property
    def is_open(self) -> bool:
        """True if a person may still decide about it."""
        return self.plan["state"] in OPEN_STATES


def plan_page(
    site: Site, account: Account, plan_id: str, filters: Filters, number: int
) -> tuple[PlanPage | None, Reading]:
    """Return one page of a plan, None if there is no such plan, and the time of the data."""
    now = utc_now(account.clock)
    if not account.live.exists():
        return None, Reading(now, is_empty=True)

    def query(warehouse: Warehouse) -> PlanPage | None:
        with warehouse.writer(transaction=False) as con:
            if not has_table(con, "sync_plans"):
                return None
            found = read_frame(con, "select * from sync_plans where plan_id = ?", [plan_id]).to_dicts()
            if not found:
                return None
            return _page(con, site, account, warehouse, found[0], filters, number)

    return account.read(query, is_private=True)


def _page(
    con: duckdb.DuckDBPyConnection,
    site: Site,
    account: Account,
    warehouse: Warehouse,
    row: Mapping[str, Any],
    filters: Filters,
    number: int,
) -> PlanPage:
    now, workflow = utc_now(account.clock), site.workflows.get(row["workflow"])
    stored = StoredPlan(*(row[name] for name in StoredPlan.__annotations__))
    newer = _newer(con, row)
    problem, hides = _problem(con, account, stored, newer, workflow), warehouse.hides_personal
    if workflow is None or not _has_rows(con, stored):
        return PlanPage(
            row, now, problem or "its rows are no longer kept", newer, said=_said(con, row, hides=hides), is_kept=False
        )
    found, values = found_records(stored, filters, named_records(con) if filters.text and not hides else NO_NAMES)
    paged = {"page": PER_PAGE, "skipped": PER_PAGE * (number - 1), "order": [each.value for each in ORDER]}
    rows = read_frame(con, WRITES.format(found=found), {**values, **paged})
    keys, above = (list(rows.select(f"{of}source", f"{of}source_id").iter_rows()) for of in ("", "parent_"))
    called = {} if hides else names_of(con, {*keys, *(each for each in above if None not in each)})
    total = con.execute(f"select count(*) from {found}", values).fetchall()[0][0]
    counts, codes, fields, conflicts = account.kept(("facets", row["plan_id"]), warehouse, lambda: facets(con, stored))
    names = pl.Series("name", [called.get(each) for each in keys], pl.String)
    writes, sealed = planned_writes(rows.with_columns(names), warehouse)
    is_hidden = hides or bool(sealed)
    parents = {key: called.get(parent) or "" for key, parent in zip(keys, above, strict=True)}
    return PlanPage(
        row, now, problem, newer,
        counts=counts,
        codes=codes,
        fields=fields,
        writes=writes,
        parents=parents,
        names=None if is_hidden else names_behind(con, workflow, writes),
        total=total,
        conflicts=conflicts,
        said=_said(con, row, hides=hides),
        is_hidden=is_hidden,
        sealed=sealed,
    )  # fmt: skip


def _has_rows(con: duckdb.DuckDBPyConnection, plan: StoredPlan) -> bool:
    query = f"select 1 from {quoted(plan.table)} where plan_id = ? limit 1"
    return has_table(con, plan.table) and bool(con.execute(query, [plan.plan_id]).fetchall())


def _newer(con: duckdb.DuckDBPyConnection, row: Mapping[str, Any]) -> str:
    """Return a later plan of the same workflow and kind, which knows more; undo plans do not replace each other."""
    query = (
        "select plan_id from sync_plans where workflow = ? and kind = ? and kind <> 'undo' and position > ?"
        " order by position desc limit 1"
    )
    found = con.execute(query, [row["workflow"], row["kind"], row["position"]]).fetchall()
    return str(found[0][0]) if found else ""


# what a person decided of a plan in this state; one that expired was sent by no one, whoever tried
_DECIDED = {PlanState.REJECTED: Happened.REJECTED} | dict.fromkeys(
    (PlanState.SENDING, PlanState.SENT, PlanState.PARTIAL, PlanState.DIED), Happened.APPROVED
)


def _said(con: duckdb.DuckDBPyConnection, row: Mapping[str, Any], *, hides: bool) -> list[dict[str, Any]]:
    """Return why the plan was asked for and decided; an approval that could not be carried out decided nothing."""
    if hides or not has_table(con, "sync_events"):
        return []
    decided = _DECIDED.get(row["state"])
    events = [Happened.UNDO_PLANNED, *([decided] if decided else [])]
    rows = con.execute(
        "select event, note, details from sync_events where subject = ? and list_contains(?, event)"
        " qualify row_number() over (partition by event order by position desc) = 1 order by position desc",
        [row["plan_id"], [each.value for each in events]],
    ).fetchall()
    return [
        {"event": event, "note": note or "", "only": details_of(details).get("only", [])}
        for event, note, details in rows
    ]


def _problem(
    con: duckdb.DuckDBPyConnection, account: Account, plan: StoredPlan, newer: str, workflow: Workflow | None
) -> str:
    """Return why a plan cannot be approved; blank if it can."""
    if plan.state not in OPEN_STATES:
        return f"it is {plan.state}"
    if plans.is_overdue(con, plan, utc_now(account.clock), steady(account.clock)):
        return f"it expired at {plan.expires_at:%Y-%m-%d %H:%M} UTC"
    if newer:
        return "a newer plan of this workflow replaces it"
    if workflow is None:
        return "its workflow has no usable file"
    if plan.kind != PlanKind.UNDO and not account.switches.state(workflow).active:
        return "its workflow is switched off; switch it on first"
    return ""
