"""Values of a target that are damaged: they contain U+FFFD, which stands for invalid characters.

target_<workflow>  ->  damaged_values()  ->  target id and field, for the page of the run and the summary

One bad character must not hide a list, so a client reads such a value with U+FFFD in its place. It is compared like any
other value: a field that NetSuite decides on is written again.
"""

import duckdb

from resources.json_body import REPLACEMENT, named
from resources.warehouse.tables import columns_of, quoted

DAMAGED = "values in the target contain invalid characters, read as U+FFFD; correct them there"


def damaged_values(con: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    """Return target id and field of each damaged value of a target's state; nothing if it was not read yet."""
    texts = [name for name, kind in columns_of(con, table).items() if kind == "VARCHAR" and name != "target_id"]
    if not texts:
        return []
    parts = (f"select target_id, '{name}' from {quoted(table)} where contains({quoted(name)}, $mark)" for name in texts)
    return con.execute(" union ".join(parts), {"mark": REPLACEMENT}).fetchall()


def damage_of(con: duckdb.DuckDBPyConnection, workflow: str) -> str:
    """Return the damaged values of a workflow's target as one sentence, without the values; blank for none."""
    found = damaged_values(con, f"target_{workflow}")
    return f"{DAMAGED}: {named(found)}" if found else ""
