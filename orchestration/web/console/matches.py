"""Records whose record in the target a person may choose: the candidates, field by field.

plan, mart, target state  ->  match_page(): records of one page with what agrees and what differs
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from assets.delivery.audit.record_links import RecordLinks, safe
from assets.delivery.imports.manual_links import UNLINKED, identifying_fields, possible_matches
from assets.delivery.ledger.links import read_links
from assets.delivery.spec.workflow import Workflow
from assets.warehouse.record_names import names_of
from orchestration.web.console.site import Account, Reading, Site
from resources.clock import utc_now
from resources.warehouse.tables import columns_of, has_table, quoted, read_frame
from resources.warehouse.warehouse import Warehouse

PER_PAGE = 10
SHOWN_CANDIDATES = 5
AMBIGUOUS = "ambiguous"


@dataclass(frozen=True)
class Candidate:
    """A target record that may be the source record."""

    target_id: str
    name: str
    is_active: bool
    key: str
    url: str
    agree: Sequence[str]
    differ: Sequence[str]
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class Matched:
    """One source record with its candidates; `values` are the desired ones, by field."""

    workflow: str
    source: str
    source_id: str
    name: str
    netsuite_url: str
    reason: str
    fields: Sequence[str]
    values: Mapping[str, str | None]
    candidates: Sequence[Candidate]
    link: Mapping[str, Any] | None


@dataclass(frozen=True)
class MatchPage:
    """The page: for each workflow the records by action, and those of the chosen one."""

    workflow: str
    action: str
    counts: Mapping[str, Mapping[str, int]]
    records: Sequence[Matched]
    total: int
    now: datetime


def match_page(
    site: Site, account: Account, links: RecordLinks, workflow: str, action: str, number: int
) -> tuple[MatchPage, Reading]:
    """Return a page of records to match, and the time of the data."""
    now = utc_now(account.clock)
    if not account.live.exists():
        return MatchPage("", AMBIGUOUS, {}, [], 0, now), Reading(now, is_empty=True)

    def query(warehouse: Warehouse) -> MatchPage:
        with warehouse.writer(transaction=False) as con:
            usable = [each for each in site.workflows.values() if _is_planned(con, each)]
            counts = account.kept(("matches",), warehouse, lambda: _counts(con, usable))
            names = [each for each in usable if counts.get(each.name)]
            first = max(
                names, key=lambda each: (AMBIGUOUS in counts[each.name], sum(counts[each.name].values())), default=None
            )
            chosen = next((each for each in names if each.name == workflow), first)
            if chosen is None:
                return MatchPage("", AMBIGUOUS, counts, [], 0, now)
            kind = (
                action
                if action in counts[chosen.name]
                else next(each for each in UNLINKED if each in counts[chosen.name])
            )
            found = _matched(con, chosen, kind, links, number, hides=warehouse.hides_personal)
        return MatchPage(chosen.name, kind, counts, found, counts[chosen.name][kind], now)

    return account.read(query)


def _is_planned(con: duckdb.DuckDBPyConnection, workflow: Workflow) -> bool:
    return all(has_table(con, name) for name in (workflow.plan, workflow.mart, workflow.target_state, "sync_plans"))


def _newest(workflow: Workflow) -> str:
    """Return the condition that a plan's row is of the newest plan of all records, and was not sent since."""
    return (
        "plan_id = (select arg_max(plan_id, position) from sync_plans where workflow = $workflow and kind = 'sync')"
        f" and {quoted(workflow.plan)}.action in (select unnest($unlinked)) and (action = '{AMBIGUOUS}' or not exists ("
        "select 1 from sync_links as link where link.workflow = $workflow and link.target_id is not null"
        f" and link.source = {quoted(workflow.plan)}.source and link.source_id = {quoted(workflow.plan)}.source_id))"
    )


def _counts(con: duckdb.DuckDBPyConnection, workflows: Sequence[Workflow]) -> dict[str, dict[str, int]]:
    found = {}
    for each in workflows:
        query = f"select action, count(*) from {quoted(each.plan)} where {_newest(each)} group by action"
        rows = con.execute(query, {"workflow": each.name, "unlinked": list(UNLINKED)}).fetchall()
        if rows:
            found[each.name] = dict(rows)
    return found


def _matched(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, action: str, links: RecordLinks, number: int, *, hides: bool
) -> list[Matched]:
    values = {"workflow": workflow.name, "unlinked": [action], "page": PER_PAGE, "skipped": PER_PAGE * (number - 1)}
    plan = read_frame(con, _PAGE.format(plan=quoted(workflow.plan), newest=_newest(workflow)), values)
    linked = read_frame(con, _LINKED.format(plan=quoted(workflow.plan)), {"workflow": workflow.name})
    keys = {"sources": plan["source"].to_list(), "ids": plan["source_id"].to_list()}
    mart = read_frame(con, _MART.format(mart=quoted(workflow.mart)), keys)
    state = read_frame(con, *_alike(con, workflow, mart))
    planned = pl.concat([plan, linked], how="diagonal")
    pairs = possible_matches(workflow.spec, mart, state, planned, read_links(con, workflow.name))
    shown = state.filter(pl.col("target_id").is_in(pairs["target_id"].implode()))
    existing = {row["target_id"]: row for row in shown.iter_rows(named=True)}
    names = {} if hides else names_of(con, plan.select("source", "source_id").iter_rows())
    urls = con.execute("select template from sync_record_urls where workflow = ?", [workflow.name]).fetchall()
    manual = read_frame(con, "select * from sync_manual_links where workflow = ?", [workflow.name]).to_dicts()
    template = urls[0][0] if urls and urls[0][0] else ""
    desired = {(row["source"], row["source_id"]): row for row in mart.iter_rows(named=True)}
    found = []
    for row in plan.iter_rows(named=True):
        key = (row["source"], row["source_id"])
        own = pairs.filter((pl.col("source") == key[0]) & (pl.col("source_id") == key[1])).head(SHOWN_CANDIDATES)
        candidates = [_candidate(workflow, each, existing[each["target_id"]], template) for each in own.to_dicts()]
        compared = {name for each in candidates for name in (*each.agree, *each.differ)}
        fields = [name for name in identifying_fields(workflow.spec) if name in compared]
        found.append(
            Matched(
                workflow.name, *key, names.get(key) or "", links.netsuite(*key), row["reason"] or "", fields,
                desired.get(key, {}), candidates,
                next((each for each in manual if (each["source"], each["source_id"]) == key), None),
            )
        )  # fmt: skip
    return found


def _candidate(workflow: Workflow, pair: Mapping[str, Any], existing: Mapping[str, Any], template: str) -> Candidate:
    named = [rule.field for rule in workflow.spec.match_rules] + ["name", "company"]
    name = next((existing[field] for field in reversed(named) if existing.get(field)), "")
    return Candidate(
        pair["target_id"], name, bool(existing["is_active"]), existing["external_id"] or "",
        safe(template.replace("{id}", pair["target_id"])), pair["agree"], pair["differ"], existing,
    )  # fmt: skip


def _alike(con: duckdb.DuckDBPyConnection, workflow: Workflow, mart: pl.DataFrame) -> tuple[str, dict[str, Any]]:
    """Return the query for the target records that share a value with these records, and its values.

    All target records with such a value are among them, so that a common value counts as often as in the whole table.
    """
    known = columns_of(con, workflow.target_state)
    fields = [
        name for name in identifying_fields(workflow.spec) if name in mart.columns and known.get(name) == "VARCHAR"
    ]
    sought = {
        f"f{place}": mart[name].drop_nulls().str.strip_chars().str.to_lowercase().unique().to_list()
        for place, name in enumerate(fields)
    }
    tests = [
        f"lower(trim({quoted(name)})) in (select unnest($f{place}::varchar[]))" for place, name in enumerate(fields)
    ]
    return f"select * from {quoted(workflow.target_state)} where {' or '.join(tests) or 'false'}", sought


_PAGE = """
select * from {plan} where {newest}
order by source, try_cast(source_id as bigint), source_id limit $page offset $skipped
"""
_LINKED = """
select source, source_id, 'unchanged' as action, '' as reason, target_id, matched_by from {plan}
where plan_id = (select arg_max(plan_id, position) from sync_plans where workflow = $workflow and kind = 'sync')
    and matched_by in ('external_id', 'link') and target_id is not null
"""
_MART = """
select mart.* from {mart} as mart join (select unnest($sources) as source, unnest($ids) as source_id) as sought
    using (source, source_id)
"""
