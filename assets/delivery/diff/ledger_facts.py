"""Facts of the ledger that change a decision: rejections, undo holds, manual links, parents of other workflows.

ledger  ->  LedgerFacts  ->  recall()  ->  whether the same values were rejected before, or are held back by an undo
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import duckdb
import polars as pl

from assets.delivery.cases import set_where
from assets.delivery.ledger.attempts import read_lost_creates, read_rejected
from assets.delivery.ledger.decisions import read_upstream
from assets.delivery.ledger.links import read_manual_links
from assets.delivery.ledger.normalization import request_hash
from assets.delivery.ledger.undo_holds import read_undo_holds
from assets.delivery.schemas import (
    DELIVER,
    KEY,
    LOST_CREATE,
    LOST_CREATE_SCHEMA,
    MANUAL_LINK_SCHEMA,
    REJECTED_SCHEMA,
    UNDO_HOLD_SCHEMA,
    UPSTREAM_SCHEMA,
)
from assets.delivery.spec.workflow import Workflow


@dataclass(frozen=True)
class LedgerFacts:
    """The ledger's facts about one workflow's records.

    Attributes:
        rejected: REJECTED_SCHEMA: values that the target rejected; not sent again until source or workflow changes.
        undo_holds: UNDO_HOLD_SCHEMA: values that an undo took back; not sent again until source or workflow changes.
        manual_links: MANUAL_LINK_SCHEMA: target records that a person linked.
        upstream: UPSTREAM_SCHEMA: records of other workflows, which may be parents.
        lost_creates: LOST_CREATE_SCHEMA: records that may exist without our key; not created before a person decides.
    """

    rejected: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REJECTED_SCHEMA))
    undo_holds: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=UNDO_HOLD_SCHEMA))
    manual_links: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MANUAL_LINK_SCHEMA))
    upstream: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=UPSTREAM_SCHEMA))
    lost_creates: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LOST_CREATE_SCHEMA))

    @property
    def keys(self) -> pl.DataFrame:
        """KEY of every record with a rejection, a hold, a manual link or a lost create."""
        facts = (self.rejected, self.undo_holds, self.manual_links, self.lost_creates)
        return pl.concat([each.select(KEY) for each in facts]).unique()


NO_FACTS = LedgerFacts()


def read_ledger_facts(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, now: datetime, *, rejected: bool = True
) -> LedgerFacts:
    """Read the facts of a workflow; rejections that are old enough for another attempt are left out.

    Without `rejected` all of them are: a person asked to send the records again.
    """
    wait = timedelta(hours=workflow.spec.retry_rejected_after_hours)
    return LedgerFacts(
        read_rejected(con, workflow.name, now - wait, now + wait) if rejected else pl.DataFrame(schema=REJECTED_SCHEMA),
        read_undo_holds(con, workflow.name),
        read_manual_links(con, workflow.name),
        read_upstream(con, workflow.spec.upstream),
        read_lost_creates(con, workflow.name),
    )


def recall(matched: pl.DataFrame, facts: LedgerFacts, version: str) -> pl.DataFrame:
    """Add rejected_before and held (bool): the ledger has the same values of the same workflow version.

    A record that a lost create may have made becomes ambiguous, unless it has a match or a person decided.
    """

    def same(fact: str) -> pl.Expr:
        unchanged = (pl.col(f"{fact}_hash") == pl.col("payload_hash")) & (pl.col(f"{fact}_version") == version)
        return unchanged.fill_null(value=False)

    matched = _lost(matched, facts)
    matched = matched.join(facts.rejected, on=KEY, how="left", maintain_order="left")
    matched = matched.join(facts.undo_holds, on=KEY, how="left", maintain_order="left")
    same_disposition = pl.col("hold_disposition").eq_missing(pl.col("disposition"))
    return matched.with_columns(
        same("rejected").alias("rejected_before"), (same("hold") & same_disposition).alias("held")
    )


def _lost(matched: pl.DataFrame, facts: LedgerFacts) -> pl.DataFrame:
    undecided = facts.lost_creates.join(facts.manual_links, on=KEY, how="anti")
    matched = matched.join(undecided, on=KEY, how="left", maintain_order="left")
    unmatched = pl.col("target_id").is_null() & (pl.col("candidates") == 0) & (pl.col("disposition") == DELIVER)
    lost = unmatched & pl.col("lost_create").is_not_null()
    matched = set_where(matched, lost, candidates=2, matched_by=pl.lit(LOST_CREATE), claimants=pl.col("lost_create"))
    return matched.drop("lost_create")


def retry_edited(compared: pl.DataFrame) -> pl.DataFrame:
    """Clear rejected_before where the target's record was edited since: the request would be another one."""
    requests = compared.select("rejected_before", "target_id", "changes", "rejected_request").with_row_index("_row")
    requests = requests.filter(
        pl.col("rejected_before") & pl.col("target_id").is_not_null() & pl.col("rejected_request").is_not_null()
    )
    edited = [
        row["_row"]
        for row in requests.iter_rows(named=True)
        if row["changes"] and request_hash(row["changes"]) != row["rejected_request"]
    ]
    is_edited = pl.int_range(pl.len(), dtype=pl.UInt32).is_in(pl.Series(edited, dtype=pl.UInt32).implode())
    return compared.with_columns((pl.col("rejected_before") & ~is_edited).alias("rejected_before"))
