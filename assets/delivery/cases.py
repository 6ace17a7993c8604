"""Ordered case tables: the first case that applies decides.

cases in order of precedence  ->  first_match()  ->  the expressions of action, reason code and reason
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import polars as pl

ALWAYS = pl.lit(value=True)


@dataclass(frozen=True)
class Case:
    """One row of a case table; a string stands for itself, `None` for null.

    Attributes:
        when: The condition; null counts as false.
    """

    when: pl.Expr
    action: str
    code: pl.Expr | str | None
    reason: pl.Expr | str | None


@dataclass(frozen=True)
class SqlCase:
    """A case in SQL that DuckDB and Polars evaluate alike; by default it keeps the reason that the mart gave."""

    when: str
    action: str
    code: str = "reason_code"
    reason: str = "reason"

    @property
    def case(self) -> Case:
        """The same for Polars."""
        return Case(pl.sql_expr(self.when), self.action, pl.sql_expr(self.code), pl.sql_expr(self.reason))


class FirstMatch(NamedTuple):
    """Three String expressions, from the first case that applies to a row."""

    action: pl.Expr
    code: pl.Expr
    reason: pl.Expr


def first_match(cases: Sequence[Case], default: Case) -> FirstMatch:
    """Return the expressions of the first case that applies, or of the default, whose condition is not used."""

    def pick(values: Sequence[pl.Expr | str | None]) -> pl.Expr:
        *matched, otherwise = [each if isinstance(each, pl.Expr) else pl.lit(each, dtype=pl.String) for each in values]
        conditions = reversed([*zip(cases, matched, strict=True)])
        return reduce(lambda rest, pair: pl.when(pair[0].when).then(pair[1]).otherwise(rest), conditions, otherwise)

    table = [*cases, default]
    return FirstMatch(
        pick([str(case.action) for case in table]),
        pick([case.code for case in table]),
        pick([case.reason for case in table]),
    )


def sql_first_match(cases: Sequence[SqlCase]) -> dict[str, str]:
    """Return the SQL of action, reason_code and reason of the first case that applies; null if none does."""

    def pick(results: Iterable[str]) -> str:
        return (
            f"case {' '.join(f'when {case.when} then {each}' for case, each in zip(cases, results, strict=True))} end"
        )

    return {
        "action": pick(f"'{case.action}'" for case in cases),
        "reason_code": pick(case.code for case in cases),
        "reason": pick(case.reason for case in cases),
    }


def set_where(frame: pl.DataFrame, condition: pl.Expr, **values: pl.Expr | str | int | None) -> pl.DataFrame:
    """Set columns in the rows that meet a condition; a string stands for itself, types stay."""
    if frame.is_empty():  # as in most runs that find nothing to do
        return frame
    return frame.with_columns(
        pl.when(condition)
        .then(value if isinstance(value, pl.Expr) else pl.lit(value))
        .otherwise(name)
        .cast(frame.schema[name])
        .alias(name)
        for name, value in values.items()
    )
