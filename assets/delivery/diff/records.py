"""The frames that a decision compares."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from assets.delivery.schemas import TargetShape
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import TARGET_STATE_COLUMNS

# parent_state: see diff/parents.py
PARENT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(["parent_source", "parent_source_id", "parent_state", "parent_target_id"], pl.String),
    "level": pl.Int32,
}


@dataclass(frozen=True)
class Records:
    """Desired, actual and last confirmed records.

    Attributes:
        mart: MART_COLUMNS and the workflow's fields.
        target_state: TARGET_STATE_COLUMNS and the workflow's fields: every target record that may be one of them.
        links: LINK_SCHEMA: the last confirmed links.
        parents: PARENT_SCHEMA: parents that were decided before and are not in the mart.
    """

    mart: pl.DataFrame
    target_state: pl.DataFrame
    links: pl.DataFrame
    parents: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PARENT_SCHEMA))

    def for_matching(self, spec: WorkflowSpec, target: TargetShape) -> "Records":
        """Return the columns that matching needs, and row numbers (_mart): wide frames are slow to join."""
        rules = spec.match_rules
        needed = {
            target.key_field,
            *(each.field for each in rules),
            *(each.id_field for each in rules if each.id_field),
        }
        unneeded = [name for name in spec.target_fields if name in self.mart.columns and name not in needed]
        state = self.target_state.select(*TARGET_STATE_COLUMNS, *sorted(needed.intersection(self.target_state.columns)))
        return Records(self.mart.drop(unneeded).with_row_index("_mart"), state, self.links)

    def with_target_rows(self, matched: pl.DataFrame) -> pl.DataFrame:
        """Add target_state.is_active, target_state.parent_id and the row number (_target_state) of the match."""
        actual = self.target_state.with_row_index("_target_state").select(
            "_target_state", "target_id", pl.col("is_active", "parent_id").name.prefix("target_state.")
        )
        return matched.join(actual, on="target_id", how="left", maintain_order="left")

    def fields_of(self, rows: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
        """Add fields to matched rows: `name` as desired, `target_state.name` as the target has it."""
        return rows.with_columns(
            column
            for name in names
            for column in (
                self.mart[name].gather(rows["_mart"]).alias(name),
                self.target_state[name].gather(rows["_target_state"]).alias(f"target_state.{name}"),
            )
        )
