"""Records that are held back: by root cause, each record with its places in NetSuite and in the target, the ignored.

decisions of the last runs, sync_ignored  ->  causes(), records_of(), ignored()
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import polars as pl

from assets.delivery.audit.held_back import (
    CAUSE,
    held_and_ignored,
    held_back,
    of_cause,
    reasons_text,
    waits_for,
    with_names,
)
from assets.delivery.audit.record_links import RecordLinks
from assets.delivery.ledger.ignored import MAX_DAYS
from assets.delivery.reasons import Reason
from orchestration.web.console.pages import PER_PAGE
from orchestration.web.console.remedies import remedy
from orchestration.web.console.site import Account, Reading, Site
from resources.clock import utc_now
from resources.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Cause:
    """Records of one workflow with the same root cause; `key` are the columns CAUSE."""

    key: Mapping[str, str]
    records: int
    since: datetime | None
    reason: str
    example: Mapping[str, Any]
    sentence: str
    remedy: Reason


@dataclass(frozen=True)
class HeldBack:
    """The page: causes by number of records, the workflows that can be chosen, and the records that people ignore."""

    causes: Sequence[Cause]
    workflows: Sequence[tuple[str, int]]
    total: int
    ignored: int
    now: datetime


@dataclass(frozen=True)
class HeldRecords:
    """One cause with a page of its records, which can be ignored from `now` through `last_day`."""

    cause: Cause
    records: Sequence[Mapping[str, Any]]
    total: int
    now: datetime

    @property
    def last_day(self) -> date:
        """The last day through which records can be ignored."""
        return self.now.date() + timedelta(days=MAX_DAYS)


@dataclass(frozen=True)
class IgnoredRecords:
    """A page of the records that people ignore, and how many there are of each workflow and source."""

    records: Sequence[Mapping[str, Any]]
    groups: Sequence[tuple[str, str, int]]
    workflow: str
    source: str
    total: int
    now: datetime


def causes(site: Site, account: Account, workflow: str) -> tuple[HeldBack, Reading]:
    """Return the causes of one workflow, or of all if it is blank, and the time of the data."""
    now = utc_now(account.clock)
    if not account.live.exists():
        return HeldBack([], [], 0, 0, now), Reading(now, is_empty=True)

    def query(warehouse: Warehouse) -> HeldBack:
        with warehouse.writer(transaction=False) as con:
            every = _records(con, site, account, warehouse)
            records = every.filter(pl.col("ignored_until").is_null())
            counts = records.group_by("workflow").len().sort("len", descending=True).rows()
            chosen = records.filter(pl.col("workflow") == workflow) if workflow else records
            return HeldBack(_causes(con, chosen), counts, records.height, every.height - records.height, now)

    return account.read(query)


def records_of(
    site: Site, account: Account, links: RecordLinks, key: Mapping[str, str], number: int
) -> tuple[HeldRecords | None, Reading]:
    """Return a page of the records of one cause, None if there are none, and the time of the data."""
    now = utc_now(account.clock)
    if not account.live.exists():
        return None, Reading(now, is_empty=True)

    def query(warehouse: Warehouse) -> HeldRecords | None:
        with warehouse.writer(transaction=False) as con:
            every = _records(con, site, account, warehouse)
            found = of_cause(every.filter(pl.col("ignored_until").is_null()), key)
            if found.is_empty():
                return None
            (cause,) = _causes(con, found)
            return HeldRecords(cause, _placed(con, links, found, number), found.height, now)

    return account.read(query)


def ignored(
    site: Site, account: Account, links: RecordLinks, key: tuple[str, str], number: int
) -> tuple[IgnoredRecords, Reading]:
    """Return a page of the ignored records of a workflow and source, or of the first ones, and the time of the data."""
    now = utc_now(account.clock)
    if not account.live.exists():
        return IgnoredRecords([], [], *key, 0, now), Reading(now, is_empty=True)

    def query(warehouse: Warehouse) -> IgnoredRecords:
        with warehouse.writer(transaction=False) as con:
            every = _records(con, site, account, warehouse).filter(pl.col("ignored_until").is_not_null())
            groups = every.group_by("workflow", "source", maintain_order=True).len().rows()
            workflow, source = key if key[0] or not groups else groups[0][:2]
            found = every.filter((pl.col("workflow") == workflow) & (pl.col("source") == source))
            return IgnoredRecords(_placed(con, links, found, number), groups, workflow, source, found.height, now)

    return account.read(query)


def _placed(
    con: duckdb.DuckDBPyConnection, links: RecordLinks, records: pl.DataFrame, number: int
) -> list[dict[str, Any]]:
    """Return a page of records with their addresses."""
    rows = with_names(con, records.slice(PER_PAGE * (number - 1), PER_PAGE)).to_dicts()
    places = links.read(con, [(each["workflow"], each["source"], each["source_id"]) for each in rows])
    return [{**each, **places[each["workflow"], each["source"], each["source_id"]]} for each in rows]


def _records(con: duckdb.DuckDBPyConnection, site: Site, account: Account, warehouse: Warehouse) -> pl.DataFrame:
    """Return the held records of all workflows, also the ignored; kept, because a page shows a few of them only."""
    now, workflows = utc_now(account.clock), site.workflows
    return account.kept(
        ("held", now.date()),
        warehouse,
        lambda: held_and_ignored(con, [*workflows.values()], workflows, {}, now, named=False),
    )


def _causes(con: duckdb.DuckDBPyConnection, records: pl.DataFrame) -> list[Cause]:
    """Return the causes of records, each with its first record as an example."""
    rows = held_back(records).to_dicts()
    firsts = [(row["workflow"], row["source"], row["first_ids"][0]) for row in rows]
    key = ["workflow", "source", "source_id"]
    sought = pl.DataFrame(firsts, schema=dict.fromkeys(key, pl.String), orient="row")
    found = with_names(con, records.join(sought, on=key, how="semi"))
    examples = {tuple(each[name] for name in key): each for each in found.to_dicts()}
    return [_cause(row, examples[first]) for row, first in zip(rows, firsts, strict=True)]


def _cause(row: Mapping[str, Any], example: Mapping[str, Any]) -> Cause:
    return Cause(
        key={name: row[name] or "" for name in CAUSE},
        records=row["records"],
        since=row["since"],
        reason=reasons_text(row),
        example=example,
        sentence=waits_for(row),
        remedy=remedy(row["root_code"], row["root_action"]),
    )
