"""One record: its story in each workflow, and its values in NetSuite, as mapped, and in the target.

search()  ->  Record, …          record_page()  ->  RecordPage, with one Story per workflow
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import duckdb

from assets.delivery.audit.explain import Explanation, WorkflowHistory, explain_one, read_through
from assets.delivery.audit.find import Record, find_records
from assets.delivery.audit.record_links import RecordLinks, safe
from assets.delivery.audit.record_versions import Versions, read_versions
from assets.delivery.audit.value_names import Names, names_of_values
from assets.delivery.ledger.ignored import MAX_DAYS, read_ignored
from assets.delivery.ledger.runs import COUNT_COLUMNS
from assets.delivery.reasons import Reason
from assets.delivery.schemas import MART_COLUMNS
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import WRITING, Action
from assets.result_texts import as_text
from orchestration.web.console.remedies import remedy
from orchestration.web.console.site import Account, Reading, Site
from orchestration.web.console.story import HELD, Step, newly_held, story_steps, with_source
from resources.clock import utc_now
from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class FieldRow:
    """One mapped field: where its value comes from, and what it is on each side."""

    field: str
    columns: Sequence[tuple[str, str | None]]
    rule: str
    mapped: str | None
    target: str | None
    mapped_name: str
    target_name: str
    is_known: bool

    @property
    def differs(self) -> bool:
        """True if the target shows another value than the mapped one."""
        return self.is_known and (self.mapped or "") != (self.target or "")


@dataclass(frozen=True)
class Story:
    """A record in one workflow; `may_be_linked` if it is ambiguous, be it only in the newest plan."""

    workflow: str
    action: str
    reason: str
    target_id: str
    target_url: str
    matched_by: str
    remedy: Reason | None
    steps: Sequence[Step]
    fields: Sequence[FieldRow]
    manual: Mapping[str, Any] | None
    is_read: bool
    is_planned: bool
    may_be_linked: bool
    ignored: Mapping[str, Any] | None

    @property
    def done(self) -> str:
        """The past form of an action that was carried out, such as `created`; blank if nothing was written."""
        return COUNT_COLUMNS[Action(self.action)] if self.action in WRITING else ""


@dataclass(frozen=True)
class RecordPage:
    """The page of one record; `seen` holds NetSuite's columns as they were last read."""

    record: Record
    netsuite_url: str
    seen: Mapping[str, Any]
    seen_at: datetime | None
    stories: Sequence[Story]
    restored: str
    now: datetime
    past: Versions

    @property
    def last_day(self) -> date:
        """The last day through which it can be ignored."""
        return self.now.date() + timedelta(days=MAX_DAYS)


def search(account: Account, text: str) -> tuple[list[Record], Reading]:
    """Return the records that a search text may mean, or whose names contain it, and the time of the data."""
    now = utc_now(account.clock)
    if not account.live.exists():
        return [], Reading(now, is_empty=True)
    return account.read(lambda warehouse: find_records(warehouse, text.strip()[:200], partial=True))


def known_record(account: Account, source: str, source_id: str) -> Record | None:
    """Return a record that was read from NetSuite."""
    if not account.live.exists():
        return None
    found, _ = account.read(lambda warehouse: find_records(warehouse, f"{source}:{source_id}"))
    return next((each for each in found if (each.source, each.source_id) == (source, source_id)), None)


def record_page(
    site: Site, account: Account, links: RecordLinks, source: str, source_id: str, moment: datetime | None = None
) -> tuple[RecordPage | None, Reading]:
    """Return the page of one record and the time of its data; None instead of a page if the record was never read.

    Args:
        site: The workflow files.
        account: The account.
        links: Addresses of records in NetSuite and in the targets.
        source: Staging table of the record, without its prefix.
        source_id: NetSuite internal id.
        moment: A past time, UTC: the page also shows the values of each side as they were then.
    """
    now = utc_now(account.clock)
    if not account.live.exists():
        return None, Reading(now, is_empty=True)

    def query(warehouse: Warehouse) -> RecordPage | None:
        with warehouse.writer(transaction=False) as con:
            explained = explain_one(con, source, source_id)
            if explained is None:
                return None
            lineage, seen_at = _lineage(con), read_through(con, source, explained.seen)
            workflows = [each.workflow for each in explained.histories]
            past = read_versions(con, explained.record, workflows, moment)
            stories = [
                _story(con, site.workflows.get(each.workflow), each, explained, lineage, warehouse, seen_at, now)
                for each in explained.histories
            ]
        stories.sort(key=lambda each: (not each.target_id, not each.is_planned, each.action == "skipped"))
        url = links.netsuite(source, source_id)
        return RecordPage(explained.record, url, explained.seen, seen_at, stories, explained.restored, now, past)

    return account.read(query)


def _lineage(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, str | None, str]]:
    if not has_table(con, "lineage_columns"):
        return []
    query = "select workflow, target_field, source_table, source_column, expression from lineage_columns order by all"
    return con.execute(query).fetchall()


def _story(
    con: duckdb.DuckDBPyConnection,
    workflow: Workflow | None,
    history: WorkflowHistory,
    explained: Explanation,
    lineage: Sequence[tuple[str, str, str, str | None, str]],
    warehouse: Warehouse,
    seen_at: datetime | None,
    at: datetime,
) -> Story:
    now = history.decided[-1] if history.decided and history.decided[-1]["to_run"] is None else {}
    linked = history.linked[0] if history.linked else {}
    fields = _fields(con, workflow, history, explained, lineage)
    action, key = now.get("action") or "", (explained.record.source, explained.record.source_id)
    ignored = read_ignored(con, at, history.workflow) if action in HELD else []
    held = newly_held(history)
    return Story(
        workflow=history.workflow,
        action=action,
        reason=now.get("reason") or "",
        target_id=linked.get("target_id") or now.get("target_id") or "",
        target_url=safe(linked.get("target_url")),
        matched_by=linked.get("matched_by") or "",
        remedy=remedy(now.get("reason_code"), action) if action in HELD else None,
        steps=with_source(story_steps(con, history, explained.record, warehouse), history, seen_at),
        fields=fields,
        manual=history.manual_links[0] if history.manual_links else None,
        is_read=bool(history.target_state),
        is_planned=bool(held) or any(each["payload"] is not None for each in history.planned),
        may_be_linked="ambiguous" in {action, held.get("action")},
        ignored=next((each for each in ignored if (each["source"], each["source_id"]) == key), None),
    )


def _fields(
    con: duckdb.DuckDBPyConnection,
    workflow: Workflow | None,
    history: WorkflowHistory,
    explained: Explanation,
    lineage: Sequence[tuple[str, str, str, str | None, str]],
) -> list[FieldRow]:
    desired: Mapping[str, Any] = history.mart[0] if history.mart else {}
    current: Mapping[str, Any] = history.target_state[0] if history.target_state else {}
    rules: dict[str, tuple[list[tuple[str, str | None]], str]] = {}
    table = f"stg_netsuite__{explained.record.source}"
    for name, field, source_table, column, expression in lineage:
        if name == history.workflow and source_table == table:
            columns, _ = rules.setdefault(field, ([], expression))
            if column:
                columns.append((column, _text(explained.seen.get(column))))
    named = [each for each in desired if each not in MART_COLUMNS] or list(rules)
    order = workflow.spec.target_fields if workflow else named
    values = [(name, value) for name in named for value in (_text(desired.get(name)), _text(current.get(name)))]
    names = names_of_values(con, workflow, values) if workflow else Names({}, {})
    rows = []
    for name in sorted(named, key=lambda each: order.index(each) if each in order else len(order)):
        columns, rule = rules.get(name, ([], ""))
        mapped, target = _text(desired.get(name)), _text(current.get(name))
        rows.append(
            FieldRow(
                name, columns, rule, mapped, target, names.of(name, mapped), names.of(name, target),
                bool(current) and bool(desired) and name in current and desired.get("disposition") == "deliver",
            )
        )  # fmt: skip
    return rows


def _text(value: object) -> str | None:
    return None if value is None else as_text(value)
