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
        yield Violation(unlisted, "not_in_list", f"{name} is not one of the values that the target accepts")
    for each in limit.forbidden:
        pattern = literal(rf"(?s)^.*[{each.characters}].*$")  # `~` matches the whole text in DuckDB, a part in Polars
        yield Violation(f"{column} ~ {pattern}", each.code, f"{name} contains {each.reason}")
    if limit.kind in PATTERNS:
        unlike = f"not ({column} ~ {literal(PATTERNS[limit.kind])})"
        yield Violation(unlike, "wrong_form", f"{name} is not a valid {limit.kind}")
    if limit.required:
        yield Violation(f"{column} is null", "required_blank", f"{name} is blank, but the target requires it")


def validate(mart: pl.DataFrame, target: TargetShape, fields: Iterable[str]) -> pl.DataFrame:
    """Quarantine the deliverable records that the target would reject, each for its first violation."""
    for each in violations(target, fields):
        rejected = (pl.col("disposition") == DELIVER) & pl.sql_expr(each.when)
        mart = set_where(mart, rejected, disposition=QUARANTINE, reason_code=each.code, reason=each.reason)
    return mart
