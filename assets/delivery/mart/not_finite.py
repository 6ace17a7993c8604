"""Numbers without a value: a division by zero, the logarithm of zero, the root of a negative number.

expression of a row, staging table  ->  is_not_finite()  ->  the records whose value is, or contains, such a number

Polars writes them as the texts inf and NaN, which a target would store. A text of that name is not one of them, so a
number that the expression computes must be infinite as well; one that it computes but does not use is no harm.
"""

import polars as pl

from assets.delivery.spec.written_out import float_parts

TEXT = r"(^|[^\w])(inf|NaN)($|[^\w])"
ADVICE = "not a number, as after a division by zero; say what to send then, as in `amount / nullif(quantity, 0)`"


def is_not_finite(expression: pl.Expr, text: pl.Expr, table: pl.DataFrame) -> pl.Expr | None:
    """Return the condition that a value, given as expression and as text, is or contains inf or NaN, or None."""
    numbers = [~part.is_finite().fill_null(value=True) for part in float_parts(expression, table)]
    return pl.any_horizontal(numbers) & text.str.contains(TEXT) if numbers else None
