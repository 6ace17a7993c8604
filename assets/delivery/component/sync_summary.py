"""The page of one run on the sync asset: outcomes, changes, records held back, quota.

sync_runs, sync_decisions, plan_<workflow>, sync_attempts  ->  read_summary()  ->  sync_metadata(), checks
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import duckdb

from assets.delivery.audit.damaged import damage_of
from assets.delivery.ledger.attempts import open_intents
from assets.delivery.ledger.ignored import NOT_IGNORED, ignored_rows
from assets.delivery.ledger.runs import COUNT_COLUMNS
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import HELD, WRITING
from assets.netsuite.extract.read_warnings import latest_warnings
from assets.result_texts import PREVIEW_ROWS, changed_fields, markdown_table
from resources.warehouse.tables import quoted

REPORT_URL = "/reports/run-{}.html"  # served behind the sign-in, before Dagster's pages


@dataclass(frozen=True)
class SyncSummary:
    """One run of one workflow, from the ledger.

    Attributes:
        run: The row of sync_runs; empty when there is none.
        held: Action, reason code, number of records, first NetSuite ids.
        changed: Source, NetSuite id, action, changed fields, reason code of the first records sent.
        unknown: Requests of any run whose outcome is not known.
        read_at: NetSuite's time up to which every table was read, UTC.
        warnings: Record type and text of what the latest reads of NetSuite could not read as declared.
        damage: Which values of the target are damaged; blank for none.
    """

    run: Mapping[str, Any]
    held: Sequence[tuple[str, str, int, str]]
    changed: Sequence[tuple[str, str, str, list[str], str]]
    unknown: int
    read_at: datetime | None
    warnings: Sequence[tuple[str, str]]
    damage: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """Records by outcome, zeros left out."""
        return {name: self.run[name] for name in COUNT_COLUMNS.values() if self.run.get(name)}

    @property
    def lag_s(self) -> float | None:
        """Seconds between reading NetSuite and the end of the run; None when either is not known."""
        ended = self.run.get("finished_at")
        return (ended - self.read_at).total_seconds() if ended and self.read_at else None


def read_summary(con: duckdb.DuckDBPyConnection, workflow: Workflow, run_id: str, now: datetime) -> SyncSummary:
    """Read the summary of one run; records that people ignore are left out of what is held back."""
    cursor = con.execute("select * from sync_runs where run_id = ? and workflow = ?", [run_id, workflow.name])
    names, rows = [each[0] for each in cursor.description or ()], cursor.fetchall()
    return SyncSummary(
        run=dict(zip(names, rows[0], strict=True)) if rows else {},
        held=con.execute(
            _HELD.format(ignored=ignored_rows(con)), {"workflow": workflow.name, "today": now.date()}
        ).fetchall(),
        changed=con.execute(_CHANGED.format(plan=quoted(workflow.plan)), [run_id, workflow.name]).fetchall(),
        unknown=len(open_intents(con, workflow.name)),
        read_at=con.execute("select min(watermark_at) from sync_watermarks").fetchall()[0][0],
        warnings=latest_warnings(con),
        damage=damage_of(con, workflow.name),
    )


_HELD = f"""
select action, coalesce(reason_code, ''), count(*) as records,
    array_to_string(
        (list(source_id order by from_position nulls first, from_at, try_cast(source_id as bigint)))[:5], ', '
    )
from sync_decisions as known where workflow = $workflow and to_run is null and action in {HELD} and {NOT_IGNORED}
group by action, reason_code order by records desc, action
"""
_CHANGED = f"""
select source, source_id, action, [each.field for each in changes], coalesce(reason_code, '')
from {{plan}} where plan_id = (select any_value(plan_id) from sync_plans where sent_by = ? and workflow = ?)
    and action in {tuple(action.value for action in WRITING)}
order by action, source, try_cast(source_id as bigint) limit {PREVIEW_ROWS}
"""


def report_url(run_id: str) -> str:
    """Return where the server shows the report of a run."""
    return REPORT_URL.format(run_id[:8])


def sync_metadata(summary: SyncSummary, run_id: str, calls_left: int | None) -> dict[str, Any]:
    """Return the summary as metadata: ids, field names and counts, never values."""
    changed = [(*row[:3], changed_fields(row[3]), row[4]) for row in summary.changed]
    calls = [("calls", summary.run.get("calls") or 0)]
    calls += [] if calls_left is None else [("left for the day", calls_left)]
    read_at = summary.read_at
    return {
        "report": dg.MetadataValue.url(report_url(run_id)),
        "summary": _table(["outcome", "records"], list(summary.counts.items()), "no records"),
        "changed": _table(["source", "NetSuite id", "action", "fields", "why"], changed, "nothing"),
        "held_back": _table(["state", "cause", "records", "first NetSuite ids"], summary.held, "nothing"),
        "netsuite_warnings": _table(["table", "warning"], summary.warnings, "none"),
        **({"damaged_values": summary.damage} if summary.damage else {}),
        "quota": _table(["requests", ""], calls, "none"),
        "as_of": dg.MetadataValue.timestamp(read_at.replace(tzinfo=UTC)) if read_at else "not known",
    }


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]], otherwise: str) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(markdown_table(heads, rows) if rows else otherwise)
