"""Records that are held back: by root cause, and each record with its places in NetSuite and in the target.

decisions of the last runs  ->  causes(), records_of()
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from assets.delivery.audit.held_back import ROOT_STATES, held_back, held_records
from assets.delivery.target import Action
from assets.result_texts import singular
from orchestration.web.console.pages import PER_PAGE
from orchestration.web.console.record_links import RecordLinks
from orchestration.web.console.remedies import Remedy, remedy
from orchestration.web.console.site import Account, Reading, Site
from resources.clock import utc_now
from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse

CAUSE = ("workflow", "source", "action", "root_source", "root_action", "root_code")


@dataclass(frozen=True)
class Cause:
    """Records of one workflow with the same root cause; `key` are the columns CAUSE."""

    key: Mapping[str, str]
    records: int
    since: datetime | None
    reason: str
    example: Mapping[str, Any]
    sentence: str
    remedy: Remedy


@dataclass(frozen=True)
class HeldBack:
    """The page: causes by number of records, and the workflows that can be chosen."""

    causes: Sequence[Cause]
    workflows: Sequence[tuple[str, int]]
    total: int
    now: datetime


@dataclass(frozen=True)
class HeldRecords:
    """One cause with a page of its records."""

    cause: Cause
    records: Sequence[Mapping[str, Any]]
    total: int
    now: datetime


def causes(site: Site, account: Account, workflow: str) -> tuple[HeldBack, Reading]:
    """Return the causes of one workflow, or of all if it is blank, and when they are of."""
    now = utc_now(account.clock)
    if not account.live.exists():
        return HeldBack([], [], 0, now), Reading(now, is_empty=True)
    records, reading = account.read(lambda warehouse: _records(site, account, warehouse))
    counts = dict(records.group_by("workflow").len().sort("len", descending=True).iter_rows())
    chosen = records.filter(pl.col("workflow") == workflow) if workflow else records
    found = [_cause(row, chosen) for row in held_back(chosen).iter_rows(named=True)]
    return HeldBack(found, list(counts.items()), records.height, now), reading


def records_of(
    site: Site, account: Account, links: RecordLinks, key: Mapping[str, str], number: int
) -> tuple[HeldRecords | None, Reading]:
    """Return a page of the records of one cause, None if there are none, and when they are of."""
    now = utc_now(account.clock)
    if not account.live.exists():
        return None, Reading(now, is_empty=True)

    def query(warehouse: Warehouse) -> HeldRecords | None:
        found = _of_cause(_records(site, account, warehouse), key)
        if found.is_empty():
            return None
        cause = _cause(held_back(found).row(0, named=True), found)
        rows = found.slice(PER_PAGE * (number - 1), PER_PAGE).to_dicts()
        with warehouse.writer(transaction=False) as con:
            places = links.read(con, [(each["workflow"], each["source"], each["source_id"]) for each in rows])
        shown = [{**each, **places[each["workflow"], each["source"], each["source_id"]]} for each in rows]
        return HeldRecords(cause, shown, found.height, now)

    return account.read(query)


def _records(site: Site, account: Account, warehouse: Warehouse) -> pl.DataFrame:
    """Return the held records of all workflows; kept, because a page shows a few of them only."""

    def read() -> pl.DataFrame:
        workflows = site.workflows
        with warehouse.writer(transaction=False) as con:
            found = [
                held_records(con, each, workflows, {})
                for each in workflows.values()
                if has_table(con, "sync_decisions") and has_table(con, each.mart)
            ]
        if not found:
            return pl.DataFrame(schema=dict.fromkeys([*CAUSE, "source_id"], pl.String))
        return pl.concat(found)

    return account.kept(("held",), warehouse, read)


def _of_cause(records: pl.DataFrame, key: Mapping[str, str]) -> pl.DataFrame:
    """Return the records with these columns CAUSE; a record that waits for none is its own root."""
    if records.is_empty():
        return records
    own = (pl.col("root_source") == pl.col("source")) & (pl.col("root_source_id") == pl.col("source_id"))
    rooted = records.with_columns(pl.when(~own).then("root_source").alias("root_source"))
    kept = [pl.col(name).fill_null("") == key.get(name, "") for name in CAUSE]
    return records.filter(rooted.select(pl.all_horizontal(kept)).to_series())


def _cause(row: Mapping[str, Any], records: pl.DataFrame) -> Cause:
    root_source = row["root_source"]
    example = records.filter(
        (pl.col("workflow") == row["workflow"]) & (pl.col("source_id") == row["first_ids"][0])
        & (pl.col("source") == row["source"])
    ).row(0, named=True)  # fmt: skip
    sentence = ""
    if root_source:
        whose = "its" if row["records"] == 1 else "their"
        sentence = f"{whose} {singular(root_source)} {ROOT_STATES[Action(row['root_action'])]}"
    return Cause(
        key={name: row[name] or "" for name in CAUSE},
        records=row["records"],
        since=row["since"],
        reason=row["root_reason"] or row["root_code"] or "",
        example=example,
        sentence=sentence,
        remedy=remedy(row["root_code"], row["root_action"]),
    )
