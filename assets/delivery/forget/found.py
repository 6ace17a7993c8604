"""Values of a forgotten record in other records: they are named, and stay as they are.

Subject  ->  found_elsewhere()  ->  table, column, number of records, the first ids

An e-mail address that another contact has as well, or a name that a company has, is that record's own value.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from assets.delivery.forget.sections import Sections, searching
from assets.delivery.forget.subject import Subject
from assets.delivery.forget.texts import contains, found_by
from assets.delivery.spec.sources import STAGING_PREFIX
from resources.warehouse.forgotten import TARGET_IDS
from resources.warehouse.tables import columns_of, literal, quoted, tables_of

EXAMPLES = 5


@dataclass(frozen=True)
class Elsewhere:
    """A column of other records that has one of the values."""

    table: str
    column: str
    records: int
    ids: tuple[str, ...]


def found_elsewhere(sections: Sections, subject: Subject) -> list[Elsewhere]:
    """Return where staged records, or records in the target, have one of the values.

    Raises:
        SyncError: A run has rebuilt a table since the search began.
    """
    if not subject.texts:
        return []
    with sections() as con:
        tables = sorted(each for each in tables_of(con) if each.startswith((STAGING_PREFIX, "target_")))
    found: list[Elsewhere] = []
    for table in tables:
        with searching(sections, table) as con:
            found += [*_in_table(con, subject, table)] if table != "target_links" else []
    return found


def _in_table(con: duckdb.DuckDBPyConnection, subject: Subject, table: str) -> Iterator[Elsewhere]:
    columns = columns_of(con, table)
    key = next((each for each in columns if each.endswith("_id")), None)
    texts = [name for name, kind in columns.items() if kind == "VARCHAR" and not name.endswith("_id")]
    if key is None or not texts:
        return
    own, values = _own(subject, table)
    # first all texts of a row at once, as a line break is no part of a word; then each, of the few rows that remain
    names, each = ", ".join(map(literal, texts)), ", ".join(map(quoted, texts))
    query = (
        f"with rows as materialized (select * from {quoted(table)} where {contains(f'concat_ws(chr(10), {each})')}"
        f" and not ({own}))"
        f" select name, count(distinct id), list_sort(list(distinct id))[:{EXAMPLES}] from (select {quoted(key)} as id,"
        f" unnest([{names}]) as name, unnest([{each}]) as text from rows) where {contains('text')} group by name"
        " order by name"
    )
    for name, records, ids in con.execute(query, {**values, **found_by(subject.texts)}).fetchall():
        yield Elsewhere(table, name, records, tuple(map(str, ids)))


def _own(subject: Subject, table: str) -> tuple[str, dict[str, str]]:
    """Return the condition of the record's own rows, with its values."""
    if table == subject.staging:
        return f"{quoted(subject.key)} = $id", {"id": subject.source_id}
    if table.startswith(STAGING_PREFIX):
        return "false", {}
    workflow = table.removeprefix("target_")
    return f"target_id in ({TARGET_IDS})", {
        "workflow": workflow, "source": subject.source, "source_id": subject.source_id,
    }  # fmt: skip
