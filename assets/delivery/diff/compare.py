"""Compare desired records with the target's, field by field.

matched records, mart, target state  ->  compare()  ->  changes, payload, and whether the target normalized our values
"""

from collections.abc import Mapping, Sequence

import polars as pl

from assets.delivery.cases import set_where
from assets.delivery.diff.compared_fields import kept_when_blank, unowned_fields
from assets.delivery.diff.edits import with_edited
from assets.delivery.diff.parents import MOVED
from assets.delivery.diff.records import Records
from assets.delivery.ledger.normalization import target_hashes
from assets.delivery.schemas import DELIVER, OURS, PARENT, RETIRE, TOUCHED, UNCERTAIN, TargetShape
from assets.delivery.spec.expressions import date_dependent_fields
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.target import TOP

NO_NAMES = pl.lit([], dtype=pl.List(pl.String))


def compare(
    matched: pl.DataFrame, records: Records, target: TargetShape, fields: Sequence[str], spec: WorkflowSpec, *,
    monitored: bool = True,
) -> pl.DataFrame:  # fmt: skip
    """Compare every matched record with its target record.

    Most records are equal: only those that differ somewhere are joined with all their fields, and those of ours that
    are not delivered, which may have been edited.

    Returns:
        The records with changes (list of field, before, after), payload (JSON), unmonitored (list of fields that
        differ without counting), normalized (bool) and edited (fields that someone edited in the target, as text).
    """
    live = pl.col("disposition").is_in([DELIVER, RETIRE])
    exists = pl.col("target_id").is_not_null() & live
    desired = _desired(target, fields, spec, exists)
    at_top = pl.when(pl.col("linked_id") == pl.col("target_id")).then(pl.lit(TOP))  # confirmed without a parent
    known_parent = pl.coalesce("target_state.parent_id", "linked_parent", at_top)
    matched = matched.with_columns(known_parent.alias("known_parent"))
    matched = matched.with_columns(_moved(spec, exists).alias("_moved"))
    stays = exists & (pl.col("disposition") == RETIRE) & pl.col("known_parent").ne_missing(pl.lit(UNCERTAIN))
    matched = set_where(  # a record that is switched off does not move, wherever it belongs by now
        matched, stays, parent_target_id=_below(pl.coalesce("known_parent", "parent_target_id"))
    )
    differing = _differing(matched, records, desired, live, exists)
    rows = records.fields_of(matched.filter(differing), fields)
    changes = [
        (name, exists & value.ne_missing(pl.col(f"target_state.{name}")), pl.col(f"target_state.{name}"), value)
        for name, value in desired.items()
    ]
    changes.append((PARENT, pl.col("_moved"), _below(pl.col("known_parent")), pl.col("parent_target_id")))
    payload = pl.struct([value.alias(name) for name, value in desired.items()] or [pl.lit(None)])
    rows = _with_changes(rows, changes).with_columns(payload.struct.json_encode().alias("payload"))
    rows = _with_normalized(_monitored(rows, target, spec, monitored=monitored), target.key_field, fields, spec.version)
    rows = with_edited(rows, target, spec)
    equal = matched.filter(~differing).with_columns(
        pl.lit([], dtype=rows.schema["changes"]).alias("changes"),
        pl.lit(None, dtype=pl.String).alias("payload"),
        NO_NAMES.alias("unmonitored"),
        pl.lit(value=False).alias("normalized"),
        pl.lit(None, dtype=pl.String).alias("edited"),
    )
    return pl.concat([rows.select(equal.columns), equal])


def _below(parent: pl.Expr) -> pl.Expr:
    """Return the target id of a parent; null at the top level."""
    return pl.when(parent != TOP).then(parent)


def _desired(target: TargetShape, fields: Sequence[str], spec: WorkflowSpec, exists: pl.Expr) -> Mapping[str, pl.Expr]:
    """Return the desired value of each field."""
    retired, unowned, kept = pl.col("disposition") == RETIRE, unowned_fields(spec), kept_when_blank(spec)
    desired = {}
    for name in fields:
        value, current = pl.col(name), pl.col(f"target_state.{name}")
        if name in unowned:
            value = pl.when(pl.col("source").is_in(unowned[name]) & exists).then(current).otherwise(value)
        if name in kept:
            blank = pl.col("source").is_in(kept[name]) & exists & pl.col(name).is_null()
            value = pl.when(blank).then(current).otherwise(value)
        off = pl.lit("0") if name == target.active_field else current
        desired[name] = pl.when(retired).then(off).otherwise(value)
    return desired


def _moved(spec: WorkflowSpec, exists: pl.Expr) -> pl.Expr:
    """Return whether the parent changed; its id is null at the top and for a parent that is yet to be created."""
    parented = pl.col("source").is_in([record.source for record in spec.records if record.parent])
    placed = parented & (pl.col("disposition") == DELIVER) & pl.col("blocked_by").is_null()
    # created by a run that died, from the same values: its parent is one of them
    created = pl.col("confirmed_hash") == pl.col("payload_hash")
    created &= (pl.col("linked_parent") == UNCERTAIN) & pl.col("target_state.parent_id").is_null()
    return (exists & placed & pl.sql_expr(MOVED) & ~created.fill_null(value=False)).fill_null(value=False)


def _differing(
    matched: pl.DataFrame, records: Records, desired: Mapping[str, pl.Expr], live: pl.Expr, exists: pl.Expr
) -> pl.Series:
    """Return for each record whether it is new, moved, or differs in a field; one field is in memory at a time."""
    ours = OURS.fill_null(value=False)
    new_or_moved = live & (pl.col("_moved") | ~ours)
    undelivered = (pl.col("disposition") != DELIVER) & pl.col("target_id").is_not_null() & ours
    differing = matched.select((new_or_moved | undelivered).fill_null(value=False)).to_series()
    slim = matched.select("source", "disposition", "target_id", "_mart", "_target_state")
    for name, value in desired.items():
        pair = records.fields_of(slim, [name])
        differs = exists & value.ne_missing(pl.col(f"target_state.{name}"))
        differing |= pair.select(differs.fill_null(value=False)).to_series()
    return differing


def _with_changes(rows: pl.DataFrame, changes: Sequence[tuple[str, pl.Expr, pl.Expr, pl.Expr]]) -> pl.DataFrame:
    """Add changes from (field, condition, before, after), field by field: few fields of a record differ."""
    numbered = rows.with_row_index("_row")
    of_field = [
        numbered.filter(condition).select(
            "_row", pl.struct(pl.lit(name).alias("field"), before.alias("before"), after.alias("after"))
        )
        for name, condition, before, after in changes
    ]
    of_row = pl.concat(of_field).group_by("_row", maintain_order=True).agg(pl.col("field").alias("changes"))
    changed = numbered.join(of_row, on="_row", how="left", maintain_order="left").drop("_row")
    return changed.with_columns(pl.col("changes").fill_null(pl.lit([], dtype=of_row.schema["changes"])))


def _monitored(rows: pl.DataFrame, target: TargetShape, spec: WorkflowSpec, *, monitored: bool) -> pl.DataFrame:
    """Drop the changes of records in which no monitored field differs, and list their fields in `unmonitored`.

    A date that moves with the calendar is no change of its own and is not listed.
    """
    mapped = spec.monitored_fields == "mapped" or not monitored
    unmonitored = [] if mapped else sorted(set(spec.target_fields) - set(spec.monitored_fields))
    moving = date_dependent_fields(spec)
    ignored = {*unmonitored, *moving} - {target.key_field, target.active_field, PARENT}
    rows = rows.with_columns(NO_NAMES.alias("unmonitored"))
    if not ignored:
        return rows
    counts = TOUCHED.list.eval(~pl.element().is_in(sorted(ignored))).list.any()
    others = TOUCHED.list.set_difference(moving)
    return set_where(rows, ~counts, changes=pl.col("changes").list.head(0), unmonitored=others)


def _with_normalized(rows: pl.DataFrame, key_field: str, fields: Sequence[str], version: str) -> pl.DataFrame:
    """Add normalized: the target shows the same values as right after we sent ours.

    It trimmed, cut or rounded ours, and would do so again. Any other value is an edit, however often it is made.
    """
    sent = pl.col("confirmed_hash").eq_missing(pl.col("payload_hash"))
    sent &= pl.col("confirmed_version").eq_missing(pl.lit(version)) & (pl.col("disposition") == DELIVER)
    sent &= ~TOUCHED.list.contains(key_field)  # our key is restored however often it is cleared
    sent &= ~TOUCHED.list.contains(PARENT)  # which target_hash does not cover: someone moved the record
    sent &= pl.col("target_hash").is_not_null() & (pl.col("changes").list.len() > 0)
    numbered = rows.with_row_index("_row")
    differing = numbered.filter(sent)
    same = differing["target_hash"] == pl.Series(target_hashes(differing, fields, "target_state."), dtype=pl.String)
    normalized = differing["_row"].filter(same).implode()
    return numbered.with_columns(pl.col("_row").is_in(normalized).alias("normalized")).drop("_row")
