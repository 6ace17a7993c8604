"""Store what NetSuite sends of forgotten records without their personal values, until it sends the records anew.

rows that were read  ->  withheld_query()  ->  `incoming`: rows of forgotten records have only the columns that stay

A record that changed in NetSuite after it was forgotten is stored as sent, and its mark ends in the same transaction.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import duckdb

from assets.netsuite.extract.reader import Reader
from assets.netsuite.extract.spool import ROW_HASH
from assets.netsuite.record_types import RecordType
from resources.warehouse.forgotten import HASH, TABLE, Mark, open_marks
from resources.warehouse.tables import has_table, literal, quoted

WARNED_FOR = timedelta(days=7)  # how long each reading warns that a record is back
NAMED = 5


def returned_ids(con: duckdb.DuckDBPyConnection, record_type: RecordType, key: str, rows: str) -> list[str]:
    """Return the forgotten records that NetSuite sends anew in these rows; `rows` is a query."""
    marks = {} if record_type.parent else {each.source_id: each for each in open_marks(con, record_type.name)}
    if not marks:
        return []
    date = record_type.modified.rpartition(".")[2]
    modified = quoted(date) if date in _names(con, rows) else "null"
    found = con.execute(
        f"select {quoted(key)}, {modified} from ({rows}) where list_contains(?, {quoted(key)})", [list(marks)]
    ).fetchall()
    return [source_id for source_id, at in found if marks[source_id].is_returned(at)]


def withheld_query(
    con: duckdb.DuckDBPyConnection, record_type: RecordType, key: str, rows: str, returned: Collection[str]
) -> str:
    """Return the query of the rows, without the values that stay forgotten."""
    parent = record_type.parent.rpartition(".")[2]
    source = record_type.parent_type if parent else record_type.name
    marks = [each for each in open_marks(con, source) if each.source_id not in returned]
    if not marks:
        return rows
    names = _names(con, rows)
    if (parent or key) not in names:  # no row was read
        return rows
    owner = quoted(parent or key)
    replaced = [each for name in names if (each := _replaced(name, owner, marks, record_type.name))]
    return f"select * replace ({', '.join(replaced)}) from ({rows})" if replaced else rows


def _names(con: duckdb.DuckDBPyConnection, rows: str) -> list[str]:
    return [row[0] for row in con.execute(f"describe {rows}").fetchall()]


def _replaced(name: str, owner: str, marks: Sequence[Mark], record_type: str) -> str:
    """Return the expression of a column that some of the records must not show; blank if all may."""
    if name == ROW_HASH:
        ids, value = [each.source_id for each in marks], literal(HASH)
    else:
        is_own = name.startswith("_")
        ids = [] if is_own else [each.source_id for each in marks if name not in each.kept.get(record_type, ())]
        value = "null"
    listed = ", ".join(map(literal, ids))
    return f"case when {owner} in ({listed}) then {value} else {quoted(name)} end as {quoted(name)}" if ids else ""


def warn_of_returned(con: duckdb.DuckDBPyConnection, reader: Reader, now: datetime) -> None:
    """Add a warning for a week if NetSuite sent a forgotten record anew; it ends when the record is forgotten again."""
    name = reader.record_type.name
    if reader.record_type.parent or not has_table(con, TABLE):
        return
    query = (
        f"select source_id from {TABLE} where source = ? group by source_id"
        " having max(seen_at) > ? and count(*) = count(returned_at) order by try_cast(source_id as bigint)"
    )
    ids = [row[0] for row in con.execute(query, [name, now - WARNED_FOR]).fetchall()]
    if ids:
        more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
        reader.warn(
            f"{len(ids)} forgotten records changed in NetSuite, or were lifted, so their values are stored again:"
            f" {', '.join(ids[:NAMED])}{more}; delete them in NetSuite, or forget them again: `millpond forget {name}"
            f" {ids[0]}`"
        )
