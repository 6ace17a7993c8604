"""Values that the runs of the last days replaced by one and the same, a few records at a time.

deliver  ->  sync_attempts.replaced  ->  count_taken_over()  ->  the guard `taken_over`

The ledger keeps a few bits of each value that was replaced: enough to see that many different ones became one, as when
a permission is taken away or a default takes over, and not one value that was renamed; too few to reveal the value.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import duckdb
import polars as pl

from assets.delivery.ledger.emptied import WRITTEN_LATELY
from assets.delivery.schemas import KEY, PARENT
from assets.delivery.spec.expressions import date_dependent_fields
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.tables import columns_of, has_table, quoted, read_frame

GUARD: Final = "taken_over"
DIGITS: Final = 4  # hexadecimal digits of a replaced value that are kept

_REPLACED = f"""
with {WRITTEN_LATELY}

select source, source_id, target_id, unnest(from_json(replaced, '["varchar"]')) as replaced
from written
where replaced is not null
order by position
"""


class Taken(NamedTuple):
    """The records whose field was given one value in the last days, and still has it.

    Attributes:
        before: What is kept of the values that they had.
    """

    rows: int
    before: frozenset[str]


def replaced_fields(changes: Iterable[Mapping[str, str | None]]) -> str | None:
    """Return what is kept of the values that other values replace, as JSON; None if there are none."""
    kept = [
        f"{digest(before)} {each['field']}"
        for each in changes
        if (before := each["before"]) is not None and each["after"] is not None and each["field"] != PARENT
    ]
    return json.dumps(kept) if kept else None


def digest(value: str) -> str:
    """Return a few bits of a value."""
    return hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=DIGITS // 2).hexdigest()


def count_taken_over(
    con: duckdb.DuckDBPyConnection, workflow: Workflow, days: int, fields: Sequence[str]
) -> Mapping[tuple[str, str], Taken]:
    """Return the records by field and by the value that replaced another in the last days and is still in the target.

    The days are those on which the workflow ran; a field that changes with the date does not count.
    """
    state, dated = workflow.target_state, date_dependent_fields(workflow.spec)
    if not days or not has_table(con, state) or not has_table(con, "sync_attempts"):
        return {}
    names = [name for name in fields if name in columns_of(con, state) and name not in dated]
    written = read_frame(con, _REPLACED, {"workflow": workflow.name, "days": days, "guard": f"guards.{GUARD}"})
    written = written.with_columns(
        pl.col("replaced").str.head(DIGITS).alias("before"), pl.col("replaced").str.slice(DIGITS + 1).alias("field")
    ).filter(pl.col("field").is_in(names))
    written = written.unique([*KEY, "field"], keep="last", maintain_order=True)  # the value that it had last
    if written.is_empty():
        return {}
    shown = read_frame(con, f"select target_id, {', '.join(map(quoted, names))} from {quoted(state)}")
    now = shown.unpivot(index="target_id", on=names, variable_name="field", value_name="after").drop_nulls("after")
    found = (
        written.join(now, on=["target_id", "field"])
        .group_by("field", "after")
        .agg(pl.len().alias("rows"), pl.col("before").unique())
    )
    return {(field, after): Taken(rows, frozenset(before)) for field, after, rows, before in found.iter_rows()}
