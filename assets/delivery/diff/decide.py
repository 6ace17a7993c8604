"""Give every source record exactly one action, with its reason and its changes.

desired, actual and last confirmed records  ->  decide()  ->  plan, one row per source record

Pure functions over frames: the same inputs give the same plan.
"""

from dataclasses import replace

import polars as pl

from assets.delivery.diff.actions import choose_actions
from assets.delivery.diff.compare import compare
from assets.delivery.diff.ledger_facts import NO_FACTS, LedgerFacts, recall, retry_edited
from assets.delivery.diff.matching import match
from assets.delivery.diff.parents import resolve_parents
from assets.delivery.diff.records import Records
from assets.delivery.diff.validate import validate
from assets.delivery.schemas import PLAN_COLUMNS, TargetShape
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import WRITING


def decide(
    spec: WorkflowSpec, target: TargetShape, records: Records, facts: LedgerFacts = NO_FACTS, *, monitored: bool = True
) -> pl.DataFrame:
    """Decide on every record of the mart.

    Args:
        spec: The workflow.
        target: The target's fields.
        records: The undecided records.
        facts: The ledger's facts.
        monitored: Whether a record that differs only in fields that are not monitored is unchanged.

    Returns:
        PLAN_COLUMNS; as many rows as the mart, parents before children.
    """
    fields = [name for name in spec.target_fields if name in records.mart.columns]
    records = replace(records, mart=validate(records.mart, target, fields, records.target_state))
    matched = match(records.for_matching(spec, target), facts.manual_links, target.key_field, spec)
    matched = recall(records.with_target_rows(matched), facts, spec.version)
    resolved = resolve_parents(matched, facts.upstream, records.parents)
    compared = retry_edited(compare(resolved, records, target, fields, spec, monitored=monitored))
    decided = choose_actions(compared, target, spec, monitored=monitored)
    # records that are not sent need no payload; the mart has their values
    decided = decided.with_columns(pl.when(pl.col("action").is_in([*WRITING])).then("payload"))
    return decided.sort("level", "source", pl.col("source_id").str.len_chars(), "source_id").select(PLAN_COLUMNS)
