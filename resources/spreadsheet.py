"""Cells of CSV files that people open in a spreadsheet, which would evaluate some texts.

`=HYPERLINK(…)` as a name  ->  cell()  ->  `'=HYPERLINK(…)`, which is shown
"""

import re

FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NEGATIVE = re.compile(r"-\d+(\.\d+)?")  # a number, which a spreadsheet shows as it is


def cell(value: object) -> str:
    """Return a value as a cell; one that a spreadsheet would take for a formula begins with an apostrophe."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) and not _NEGATIVE.fullmatch(text) else text


def cells_of(query: str) -> str:
    """Return a query with its columns as such texts; an apostrophe that a text begins with is doubled."""
    text = "columns(*)::varchar"
    return f"select if(regexp_matches({text}, '^[=+\\-@\\t\\r'']'), '''' || {text}, {text}) from ({query})"


def from_cells(table: str) -> str:
    """Return the query of the texts that `cells_of` was given."""
    return f"select regexp_replace(columns(*), '^''', '') from {table}"
