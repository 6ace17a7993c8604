"""Text of numbers without scientific notation: every digit stays, and 1E+2 is 100."""

from decimal import Decimal

MAX_ZEROS = 400  # longer than any double


def plain_number(text: str) -> str:
    """Return the text of a number with its digits written out; any other text is unchanged.

    >>> plain_number("1E+2"), plain_number("1e-7"), plain_number("12345678901234567.89")
    ('100', '0.0000001', '12345678901234567.89')
    """
    if "e" not in text.lower():
        return text
    number = Decimal(text)
    return format(number, "f") if abs(number.adjusted()) <= MAX_ZEROS else text
