"""Facts of the ledger that change a decision: rejections, undo holds, manual links, parents of other workflows.

ledger  ->  LedgerFacts  ->  recall()  ->  whether the same values were rejected before, or are held back by an undo
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import duckdb
import polars as pl

from assets.delivery.cases import set_where
from assets.delivery.ledger.attempts import read_lost_creates, read_rejected
from assets.delivery.ledger.decisions import read_upstream
from assets.delivery.ledger.links import decided_after, decided_since, read_manual_links
from assets.delivery.ledger.normalization import request_hash
from assets.delivery.ledger.undo_holds import read_undo_holds
from assets.delivery.schemas import (
    DELETED,
    DELETED_SCHEMA,
    DELIVER,
    KEY,
    LOST_CREATE,
    LOST_CREATE_SCHEMA,
    MANUAL,
    MANUAL_LINK_SCHEMA,
    NEAR,
    NEAR_SCHEMA,
    NOT_ASKED,
    NOT_SHOWN,
    OURS,
    REJECTED_SCHEMA,
    UNDO_HOLD_SCHEMA,
    UPSTREAM_SCHEMA,
)
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.tables import has_table, quoted, read_frame


@dataclass(frozen=True)
class LedgerFacts:
    """The ledger's facts about one workflow's records.

    Attributes:
        rejected: REJECTED_SCHEMA: values that the target rejected; not sent again until source or workflow changes.
        undo_holds: UNDO_HOLD_SCHEMA: values that an undo took back; not sent again until source or workflow changes.
        manual_links: MANUAL_LINK_SCHEMA: target records that a person linked.
        upstream: UPSTREAM_SCHEMA: records of other workflows, which may be parents.
        lost_creates: LOST_CREATE_SCHEMA: records that may exist without our key, about which no person decided since.
        near: NEAR_SCHEMA: records that are nearly the same as others; not created before a person decides.
        deleted: DELETED_SCHEMA: records that the target no longer has, unless the workflow creates them again, and
            those that it no longer shows although it does not list them as deleted.
    """

    rejected: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REJECTED_SCHEMA))
    undo_holds: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=UNDO_HOLD_SCHEMA))
    manual_links: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MANUAL_LINK_SCHEMA))
    upstream: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=UPSTREAM_SCHEMA))
    lost_creates: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LOST_CREATE_SCHEMA))
    near: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=NEAR_SCHEMA))
    deleted: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DELETED_SCHEMA))

    @property
    def keys(self) -> pl.DataFrame:
        """KEY of every record with a rejection, a hold, a manual link or a lost create."""
        facts = (self.rejected, self.undo_holds, self.manual_links, self.lost_creates)
        return pl.concat([each.select(KEY) for each in facts]).unique()


NO_FACTS = LedgerFacts()


def read_ledger_facts(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, now: datetime, *, rejected: bool = True,
    unverified: Collection[str] = (), hidden: Collection[str] = (),
) -> LedgerFacts:  # fmt: skip
    """Read the facts of a workflow; rejections that are old enough for another attempt are left out.

    Args:
        con: An open section.
        workflow: The workflow; its target was read.
        now: The time, UTC.
        rejected: False leaves out all rejections: a person asked to send the records again.
        unverified: Target ids that could not be looked up, so that it is not known whether they were deleted.
        hidden: Target ids of records that the target neither shows nor lists as deleted.
    """
    wait = timedelta(hours=workflow.spec.retry_rejected_after_hours)
    none, decided = pl.DataFrame(schema=REJECTED_SCHEMA), decided_since(con, workflow.name)
    known = read_rejected(con, workflow.name, now - wait, now + wait) if rejected else none
    return LedgerFacts(
        known.join(decided, on=KEY, how="anti", maintain_order="left"),
        read_undo_holds(con, workflow.name).join(decided, on=KEY, how="anti", maintain_order="left"),
        read_manual_links(con, workflow.name),
        read_upstream(con, workflow.spec.upstream),
        read_lost_creates(con, workflow.name).join(decided, on=KEY, how="anti", maintain_order="left"),
        deleted=_read_deleted(con, workflow, unverified, hidden),
    )


def _read_deleted(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, unverified: Collection[str], hidden: Collection[str]
) -> pl.DataFrame:
    """Return the records whose target record is gone, hidden or was not looked up, unless a person decided since."""
    none, reports = pl.DataFrame(schema=DELETED_SCHEMA), workflow.spec.deleted_in_target != "recreate"
    if not (reports or hidden or unverified) or not has_table(con, workflow.target_state):
        return none
    gone = read_frame(
        con,
        "select source, source_id,"
        " case when list_contains($hidden::varchar[], target_id) then $not_shown"
        " when list_contains($unverified::varchar[], target_id) then $not_asked else $deleted end as deleted_code"
        " from sync_links as link where workflow = $workflow"
        f" and target_id not in (select target_id from {quoted(workflow.target_state)} where target_id is not null)"
        " and ($reports or deleted_code <> $deleted)"
        " and not exists (select 1 from sync_manual_links as decided"
        " where decided.workflow = link.workflow and decided.source = link.source"
        f" and decided.source_id = link.source_id and {decided_after('link.confirmed_at')})",
        {
            "workflow": workflow.name,
            "unverified": list(unverified),
            "hidden": list(hidden),
            "reports": reports,
            "not_shown": NOT_SHOWN,
            "not_asked": NOT_ASKED,
            "deleted": DELETED,
        },
    )
    return gone if gone.height else none


def recall(matched: pl.DataFrame, facts: LedgerFacts, version: str) -> pl.DataFrame:
    """Add rejected_before and held (bool): the ledger has the same values of the same workflow version.

    And gone (bool): the record was deleted in the target and is not created again, or the target hides it, so that no
    rule may find another one for it. A record that a lost create may have made, or that is nearly the same as another
    one, becomes ambiguous, unless it has a match or a person decided since.
    """

    def same(fact: str) -> pl.Expr:
        unchanged = (pl.col(f"{fact}_hash") == pl.col("payload_hash")) & (pl.col(f"{fact}_version") == version)
        return unchanged.fill_null(value=False)

    matched = _undecided(matched, facts.lost_creates, LOST_CREATE)
    matched = _undecided(matched, facts.near.join(facts.manual_links, on=KEY, how="anti"), NEAR)
    matched = matched.join(facts.deleted, on=KEY, how="left", maintain_order="left")
    matched = matched.join(facts.rejected, on=KEY, how="left", maintain_order="left")
    matched = matched.join(facts.undo_holds, on=KEY, how="left", maintain_order="left")
    same_disposition = pl.col("hold_disposition").eq_missing(pl.col("disposition"))
    delivered = (pl.col("candidates") == 0) & (pl.col("disposition") == DELIVER)
    by_rule = ~(OURS | (pl.col("matched_by") == MANUAL)).fill_null(value=False)
    hidden = delivered & by_rule & (pl.col("deleted_code") == NOT_SHOWN)
    matched = set_where(matched, hidden.fill_null(value=False), target_id=None)
    gone = delivered & pl.col("target_id").is_null() & (pl.col("deleted_code") != NOT_ASKED)
    return matched.with_columns(
        gone.fill_null(value=False).alias("gone"),
        same("rejected").alias("rejected_before"),
        (same("hold") & same_disposition).alias("held"),
    )


def _undecided(matched: pl.DataFrame, claims: pl.DataFrame, how: str) -> pl.DataFrame:
    """Make unmatched records ambiguous that may be others: KEY and the others in words."""
    (text,) = (name for name in claims.columns if name not in KEY)
    matched = matched.join(claims, on=KEY, how="left", maintain_order="left")
    unmatched = pl.col("target_id").is_null() & (pl.col("candidates") == 0) & (pl.col("disposition") == DELIVER)
    claimed = unmatched & pl.col(text).is_not_null()
    matched = set_where(matched, claimed, candidates=2, matched_by=pl.lit(how), claimants=pl.col(text))
    return matched.drop(text)


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
