"""What is desired beside what is there: which records are fit, and which of their fields differ.

mart, target state, links  ->  validate(), compare()  ->  one row per source record with its changes
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from assets.delivery.ledger.normalization import request_hash, shown_hashes
from assets.delivery.mart.transform import DELIVER, QUARANTINE, RETIRE
from assets.delivery.schemas import (
    KNOWN_PARENT,
    OURS,
    PARENT,
    TOUCHED,
    UNSURE,
    TargetShape,
)
from assets.delivery.spec.expressions import dated
from assets.delivery.spec.workflow_spec import WorkflowSpec

# how a value of a kind is spelled
FORMS = {
    "boolean": r"^[01]$",
    "number": r"^-?[0-9]*\.?[0-9]+$",
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?$",
}
NOTHING = pl.lit([], dtype=pl.List(pl.String))


def forget_edited(compared: pl.DataFrame) -> pl.DataFrame:
    """Try once more what was refused when the target's record changed since: same_refused holds no longer."""
    refused = compared.select("same_refused", "target_id", "changes", "refused_request").with_row_index("_row")
    refused = refused.filter(
        pl.col("same_refused") & pl.col("target_id").is_not_null() & pl.col("refused_request").is_not_null()
    )
    edited = [
        row["_row"]
        for row in refused.iter_rows(named=True)
        if row["changes"] and request_hash(row["changes"]) != row["refused_request"]
    ]
    since = pl.int_range(pl.len(), dtype=pl.UInt32).is_in(pl.Series(edited, dtype=pl.UInt32).implode())
    return compared.with_columns((pl.col("same_refused") & ~since).alias("same_refused"))


def _kept_so(compared: pl.DataFrame, key_field: str, fields: Sequence[str], version: str) -> pl.DataFrame:
    """Tell what the target made of our values from what a person did; adds kept_so.

    The target shows what it showed right after we wrote the same values: it trims, cuts, rounds, and sending once more
    would not help. What it shows at any later time is somebody's edit, however often it is made.
    """
    ours = pl.col("confirmed_hash").eq_missing(pl.col("payload_hash"))
    ours &= pl.col("confirmed_version").eq_missing(pl.lit(version)) & (pl.col("disposition") == DELIVER)
    ours &= ~TOUCHED.list.contains(key_field)  # our key is put back however often somebody clears it
    ours &= pl.col("shown_hash").is_not_null() & (pl.col("changes").list.len() > 0)
    differing = compared.with_row_index("_row").filter(ours)
    same = differing["shown_hash"] == pl.Series(shown_hashes(differing, fields, "target_state."), dtype=pl.String)
    rows = differing["_row"].filter(same).implode()
    return compared.with_row_index("_row").with_columns(pl.col("_row").is_in(rows).alias("kept_so")).drop("_row")


def left_alone(spec: WorkflowSpec) -> dict[str, list[str]]:
    """Fields of records that exist which are not ours: written once only, or not mapped by that source at all."""
    left: dict[str, list[str]] = {}
    for record in spec.records:
        always = {row.field for row in record.rows if row.on == "always"}
        for name in spec.columns:
            if name not in always:
                left.setdefault(name, []).append(record.source)
    return left


def kept_when_blank(spec: WorkflowSpec) -> dict[str, list[str]]:
    """Fields of records that exist which stay as they are while our value is blank, with the sources of such rows."""
    kept: dict[str, list[str]] = {}
    for record in spec.records:
        for row in record.rows:
            if row.blank == "keep" and row.on == "always":
                kept.setdefault(row.field, []).append(record.source)
    return kept


def validate(mart: pl.DataFrame, target: TargetShape, fields: Sequence[str]) -> pl.DataFrame:
    """Quarantine what the target is known to refuse, and what could not be found again; nothing is cut to fit."""
    key = target.key_field
    judged = _quarantine(mart, pl.col(key).is_null(), "key_blank", f"{key} is blank: it could not be found again")
    for name in fields:
        limit = target.fields.get(name)
        if limit is None:
            continue
        if limit.max_length is not None:
            long = pl.col(name).str.len_chars() > limit.max_length
            judged = _quarantine(
                judged, long, "too_long", f"{name} is longer than the target's {limit.max_length} characters"
            )
        if limit.choices is not None:
            strange = ~pl.col(name).is_in(sorted(limit.choices))
            judged = _quarantine(judged, strange, "not_in_list", f"{name} is not one of the target's values for it")
        if limit.kind in FORMS:
            judged = _quarantine(
                judged, ~pl.col(name).str.contains(FORMS[limit.kind]), "wrong_form", f"{name} is no {limit.kind}"
            )
        if limit.required:
            judged = _quarantine(
                judged, pl.col(name).is_null(), "required_blank", f"{name} is blank and the target needs it"
            )
    return judged


def _quarantine(mart: pl.DataFrame, condition: pl.Expr, code: str, reason: str) -> pl.DataFrame:
    hit = condition & pl.col("disposition").eq(DELIVER)
    return mart.with_columns(
        pl.when(hit).then(pl.lit(code)).otherwise(pl.col("reason_code")).alias("reason_code"),
        pl.when(hit).then(pl.lit(reason)).otherwise(pl.col("reason")).alias("reason"),
        pl.when(hit).then(pl.lit(QUARANTINE)).otherwise(pl.col("disposition")).alias("disposition"),
    )


@dataclass(frozen=True)
class Beside:
    """The wide frames, from which columns are taken as they are needed."""

    mart: pl.DataFrame
    target_state: pl.DataFrame

    def of(self, rows: pl.DataFrame, name: str) -> list[pl.Series]:
        """One field of these rows, as it is desired and as the target has it."""
        return [
            self.mart[name].gather(rows["_mart"]).alias(name),
            self.target_state[name].gather(rows["_target_state"]).alias(f"target_state.{name}"),
        ]


def compare(
    settled: pl.DataFrame, beside: Beside, target: TargetShape, fields: Sequence[str], spec: WorkflowSpec
) -> pl.DataFrame:
    """Put desired beside actual; adds changes (list of field, before, after), payload (JSON) and kept_so.

    Most records are as they should be: only the others are looked at field by field.
    """
    live = pl.col("disposition").is_in([DELIVER, RETIRE])
    there = pl.col("target_id").is_not_null() & live
    wanted = _wanted(target, fields, spec, there)
    moved = there & _moved(spec)
    look = settled.select((live & (moved | ~OURS.fill_null(value=False))).fill_null(value=False)).to_series()
    slim = settled.select("source", "disposition", "target_id", "_mart", "_target_state")
    for name, each in wanted.items():
        pair = slim.with_columns(beside.of(slim, name))
        look |= pair.select(
            (there & each.ne_missing(pl.col(f"target_state.{name}"))).fill_null(value=False)
        ).to_series()
    looked = settled.filter(look)
    looked = looked.with_columns(column for name in fields for column in beside.of(looked, name))
    payload = pl.struct([each.alias(name) for name, each in wanted.items()] or [pl.lit(None)])
    changes = [
        (name, there & each.ne_missing(pl.col(f"target_state.{name}")), pl.col(f"target_state.{name}"), each)
        for name, each in wanted.items()
    ]
    changes.append((PARENT, moved, KNOWN_PARENT, pl.col("parent_target_id")))
    looked = _with_changes(looked, changes).with_columns(payload.struct.json_encode().alias("payload"))
    looked = _kept_so(_monitored(looked, target, spec), target.key_field, fields, spec.version)
    plain = settled.filter(~look).with_columns(
        pl.lit([], dtype=looked.schema["changes"]).alias("changes"),
        pl.lit(None, dtype=pl.String).alias("payload"),
        NOTHING.alias("unwatched"),
        pl.lit(value=False).alias("kept_so"),
    )
    done = [name for name in looked.columns if name not in {*fields, *(f"target_state.{each}" for each in fields)}]
    return pl.concat([looked.select(done), plain.select(done)])


def _with_changes(looked: pl.DataFrame, changes: Sequence[tuple[str, pl.Expr, pl.Expr, pl.Expr]]) -> pl.DataFrame:
    """Add changes from (field, condition, before, after); few fields of a record differ, so each is filtered first."""
    numbered = looked.with_row_index("_row")
    differing = [
        numbered.filter(condition).select(
            "_row", pl.struct(pl.lit(name).alias("field"), before.alias("before"), after.alias("after"))
        )
        for name, condition, before, after in changes
    ]
    of_row = pl.concat(differing).group_by("_row", maintain_order=True).agg(pl.col("field").alias("changes"))
    told = numbered.join(of_row, on="_row", how="left", maintain_order="left").drop("_row")
    return told.with_columns(pl.col("changes").fill_null(pl.lit([], dtype=of_row.schema["changes"])))


def _wanted(target: TargetShape, fields: Sequence[str], spec: WorkflowSpec, there: pl.Expr) -> dict[str, pl.Expr]:
    """Field to the value that it shall have."""
    retiring, not_ours, lasting = pl.col("disposition") == RETIRE, left_alone(spec), kept_when_blank(spec)
    wanted = {}
    for name in fields:
        value, alone = pl.col(name), not_ours.get(name, [])
        if alone:
            value = pl.when(pl.col("source").is_in(alone) & there).then(pl.col(f"target_state.{name}")).otherwise(value)
        if lasting.get(name):
            blank = pl.col("source").is_in(lasting[name]) & there & pl.col(name).is_null()
            value = pl.when(blank).then(pl.col(f"target_state.{name}")).otherwise(value)
        kept = pl.lit("0") if name == target.active_field else pl.col(f"target_state.{name}")
        wanted[name] = pl.when(retiring).then(kept).otherwise(value)
    return wanted


def _moved(spec: WorkflowSpec) -> pl.Expr:
    """Whether the parent is another one now; `after` is null for the top and for a parent that is yet to be made."""
    ours = pl.col("source").is_in([record.source for record in spec.records if record.parent])
    settled = (pl.col("disposition") == DELIVER) & pl.col("blocked_by").is_null()
    # made by a run that died, with the values of today: the parent is one of them
    made = pl.col("confirmed_hash") == pl.col("payload_hash")
    made &= (pl.col("linked_parent") == UNSURE) & pl.col("target_state.parent_id").is_null()
    moved = KNOWN_PARENT.is_not_null() & KNOWN_PARENT.ne_missing(pl.col("parent_target_id"))
    return ours & settled & moved & ~made.fill_null(value=False)


def _monitored(compared: pl.DataFrame, target: TargetShape, spec: WorkflowSpec) -> pl.DataFrame:
    """Drop the changes of records of which no monitored field changed, and name their fields in `unwatched`.

    A date that moves with the calendar is nobody's change: it is not named.
    """
    unwatched = [] if spec.monitored == "mapped" else sorted(set(spec.columns) - set(spec.monitored))
    moving = dated(spec)
    ignored = {*unwatched, *moving} - {target.key_field, target.active_field, PARENT}
    if not ignored:
        return compared.with_columns(NOTHING.alias("unwatched"))
    seen = TOUCHED.list.eval(~pl.element().is_in(sorted(ignored))).list.any()
    nothing = pl.col("changes").list.head(0)
    return compared.with_columns(
        pl.when(seen).then("changes").otherwise(nothing).alias("changes"),
        pl.when(seen).then(NOTHING).otherwise(TOUCHED.list.set_difference(moving)).alias("unwatched"),
    )
