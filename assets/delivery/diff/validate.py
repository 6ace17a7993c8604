"""Quarantine records that the target is known to reject; no value is cut to fit.

mart, the target's field limits  ->  violations()  ->  validate() in Polars, the prefilter in DuckDB
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from assets.delivery.cases import set_where
from assets.delivery.schemas import DELIVER, QUARANTINE, TargetShape
from assets.delivery.target import TargetField
from resources.warehouse.tables import literal, quoted

# canonical text of each kind of value
PATTERNS = {
    "boolean": r"^[01]$",
    "number": r"^-?[0-9]*\.?[0-9]+$",
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?$",
}


@dataclass(frozen=True)
class Violation:
    """A condition under which the target rejects a record: SQL that DuckDB and Polars evaluate alike."""

    when: str
    code: str
    reason: str
    kept_in: str = ""  # field whose value is no violation in a record that has it already


def violations(target: TargetShape, fields: Iterable[str]) -> Iterator[Violation]:
    """Yield every violation that a record of these fields may have, the most telling one first."""
    blank_key = f"{target.key_field} is blank, so the record could not be found again"
    yield Violation(f"{quoted(target.key_field)} is null", "key_blank", blank_key)
    for name in fields:
        if name in target.fields:
            yield from _field_violations(name, target.fields[name])


def _field_violations(name: str, limit: TargetField) -> Iterator[Violation]:
    column = quoted(name)
    if limit.max_length is not None:
        reason = f"{name} is longer than {limit.max_length} characters, the target's limit"
        yield Violation(f"length({column}) > {limit.max_length}", "too_long", reason)
    if limit.choices is not None:
        choices = ", ".join(map(literal, sorted(limit.choices)))
        unlisted = f"{column} not in ({choices})" if choices else f"{column} is not null"
        kept_in = name if limit.keeps_others else ""
        yield Violation(unlisted, "not_in_list", f"{name} is not one of the {limit.choices_of}", kept_in)
    for each in limit.forbidden:
        pattern = literal(rf"(?s)^.*[{each.characters}].*$")  # `~` matches the whole text in DuckDB, a part in Polars
        yield Violation(f"{column} ~ {pattern}", each.code, f"{name} contains {each.reason}")
    if limit.kind in PATTERNS:
        unlike = f"not ({column} ~ {literal(PATTERNS[limit.kind])})"
        yield Violation(unlike, "wrong_form", f"{name} is not a valid {limit.kind}")
    if limit.required:
        yield Violation(f"{column} is null", "required_blank", f"{name} is blank, but the target requires it")


def validate(
    mart: pl.DataFrame, target: TargetShape, fields: Iterable[str], target_state: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Quarantine the deliverable records that the target would reject, each for its first violation.

    Args:
        mart: The desired records.
        target: The target's fields.
        fields: Those that the workflow maps.
        target_state: The target's records: a value that one has already is not sent.
    """
    for each in violations(target, fields):
        rejected = (pl.col("disposition") == DELIVER) & pl.sql_expr(each.when)
        if each.kept_in and target_state is not None:
            rejected &= ~pl.lit(_is_kept(mart, target_state, target.key_field, each.kept_in))
        mart = set_where(mart, rejected, disposition=QUARANTINE, reason_code=each.code, reason=each.reason)
    return mart


def _is_kept(mart: pl.DataFrame, target_state: pl.DataFrame, key_field: str, name: str) -> pl.Series:
    """Return for each record whether the target's record with its key has the same value of a field."""
    there = target_state.select("external_id", pl.col(name).alias("_has")).drop_nulls().unique("external_id")
    known = mart.select(pl.col(key_field).alias("external_id"), pl.col(name).alias("_wanted"))
    known = known.join(there, on="external_id", how="left", maintain_order="left")
    return known.select((pl.col("_wanted") == pl.col("_has")).fill_null(value=False)).to_series()
