"""The records of a plan whose target record another workflow of the same account delivers.

plan, sync_links and sync_decisions of all workflows  ->  delivered_by_others()  ->  exclusions

A workflow changes what it created or adopted. Two workflows may share a record if each has fields of its own; a field
that both map, and the record's life, belong to the workflow that had the record first. A workflow that delivered a
record keeps it until it no longer selects it: also while the record is held back, or left out of a run.
"""

import json
from typing import Any

import duckdb
import polars as pl

from assets.delivery.run_context import RunContext
from assets.delivery.schemas import AS_MAPPED, KEY, LET_GO, MANUAL, PARENT, TOUCHED
from assets.delivery.target import Action
from resources.warehouse.bindings import of_same_account
from resources.warehouse.tables import insert_frame, read_frame

_REPORTED = (pl.col("action") == Action.QUARANTINED.value) & pl.col("reason_code").is_in(sorted(LET_GO))
_OWN = (Action.UPDATE, Action.REACTIVATE, Action.DEACTIVATE)
_SENT = ("create", "adopt", "update", "reactivate")
_DELIVERS = "(decided.action in {sent} or (decided.action = 'unchanged' and list_contains($as_mapped, reason_code)))"
_EARLIER = (
    "from sync_decisions as decided where decided.workflow = link.workflow and decided.source = link.source"
    f" and decided.source_id = link.source_id and decided.target_id = link.target_id and {_DELIVERS}"
).format(sent=_SENT)
# the place in the ledger's sequence at which a workflow first delivered to a target record
_CLAIMED = f"(select coalesce(min(from_position), 0) {_EARLIER})"
# a record that is held back, or left out of a run, stays with the workflow that delivered it
_KEEPS = (
    "(decided.action not in ('unchanged', 'deactivate') and not list_contains($let_go, coalesce(reason_code, ''))"
    # the earlier decisions end with their retention; what was confirmed stays
    f" and (link.payload_hash is not null or exists ({_EARLIER.replace('decided', 'earlier')})))"
)


def delivered_by_others(con: duckdb.DuckDBPyConnection, run: RunContext, plan: pl.DataFrame) -> pl.DataFrame:
    """Return KEY and `other`, the workflow of the same account that delivers a record that this one would change.

    A record that this one does not select, and would report as still active, is one as well: it should be active.
    """
    writes = pl.col("action").is_in([each.value for each in (Action.ADOPT, *_OWN)]) & pl.col("payload").is_not_null()
    rows = plan.filter((writes | _REPORTED) & pl.col("target_id").is_not_null())
    rows = rows.select(*KEY, "target_id", "action", "matched_by", TOUCHED.alias("touched"))
    none = rows.head(0).select(*KEY, pl.col("target_id").alias("other"))
    if rows.is_empty():
        return none
    con.execute("create or replace temp table _written (target_id varchar)")
    insert_frame(con, "_written", rows.select("target_id").unique())
    values = {"workflow": run.workflow.name, "as_mapped": sorted(AS_MAPPED)}
    others = read_frame(con, _others(con), {**values, "target": run.workflow.spec.target, "let_go": sorted(LET_GO)})
    if others.is_empty():
        return none
    mine = read_frame(
        con,
        f"select source, source_id, target_id, {_CLAIMED} as mine from sync_links as link semi join _written using"
        " (target_id) where workflow = $workflow",
        values,
    )
    pairs = rows.join(others, on="target_id").join(mine, on=[*KEY, "target_id"], how="left")
    key_field = run.target.key_field
    theirs = [_is_theirs(row, run.workflow.name, key_field) for row in pairs.iter_rows(named=True)]
    found = pairs.filter(pl.Series(theirs, dtype=pl.Boolean))
    return found.group_by(KEY, maintain_order=True).agg(pl.col("other").min())


def _is_theirs(row: dict[str, Any], workflow: str, key_field: str) -> bool:
    if row["action"] in {Action.DEACTIVATE, Action.QUARANTINED}:
        return True
    if row["matched_by"] == MANUAL:  # a person decided it
        return False
    if row["mine"] is not None and (row["mine"], workflow) < (row["claimed"], row["other"]):
        return False
    # the fields of which a value was confirmed are those that its workflow maps; an early version did not keep them
    shared = {*json.loads(row["value_hashes"] or "{}"), PARENT} - {key_field}
    return row["value_hashes"] is None or not shared.isdisjoint(row["touched"])


def _others(con: duckdb.DuckDBPyConnection) -> str:
    """Return the query of the other workflows' links: target_id, other, value_hashes, claimed."""
    return (
        f"select link.target_id, link.workflow as other, link.value_hashes, {_CLAIMED} as claimed"
        " from sync_links as link join sync_decisions as decided"
        " on decided.workflow = link.workflow and decided.source = link.source and decided.source_id = link.source_id"
        f" and decided.to_run is null and ({_DELIVERS.format(sent=_SENT)} or {_KEEPS})"
        " semi join _written on _written.target_id = link.target_id"
        " where link.workflow <> $workflow and link.target = $target"
        f" and {of_same_account(con, 'link.workflow', '$workflow')}"
    )
