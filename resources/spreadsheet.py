"""Cells of CSV files that people open in a spreadsheet, which would evaluate some texts.

`=HYPERLINK(…)` as a name  ->  cell()  ->  `'=HYPERLINK(…)`, which is shown

A spreadsheet whose decimal mark is a comma separates cells by semicolons: what follows one in a text is a cell there.
"""

import re

FORMULA = "=+@＝＋－＠-"  # noqa: RUF001 - spreadsheets take wide letters as well
BEFORE = r'[\t\r\n;][ "]*'  # what may end a cell, and stand before a text in the next one
_BEGINS = re.compile(rf"[ \n]*[{FORMULA}]|[\t\r]")
_INSIDE = re.compile(rf"({BEFORE})([{FORMULA}])")
_NEGATIVE = re.compile(r"-\d+(\.\d+)?")  # a number, which a spreadsheet shows as it is


def cell(value: object) -> str:
    """Return a value as a cell; text that a spreadsheet would take for a formula begins with an apostrophe."""
    text = "" if value is None else str(value)
    if _NEGATIVE.fullmatch(text):
        return text
    shown = _INSIDE.sub(r"\1'\2", text)
    return f"'{shown}" if _BEGINS.match(shown) else shown


def cells_of(query: str) -> str:
    """Return a query with its columns as such texts; apostrophes where a formula could be are doubled."""
    text = "columns(*)::varchar"
    shown = rf"regexp_replace({text}, '({BEFORE})(''*)([{FORMULA}])', '\1''\2\3', 'g')"
    begins = rf"regexp_matches({text}, '^(?:[ \n]*[{FORMULA}]|[\t\r''])')"
    return f"select if({begins}, '''' || {shown}, {shown}) from ({query})"


def from_cells(table: str) -> str:
    """Return the query of the texts that `cells_of` was given."""
    plain = "regexp_replace(columns(*), '^''', '')"
    return rf"select regexp_replace({plain}, '({BEFORE})''(''*)([{FORMULA}])', '\1\2\3', 'g') from {table}"
