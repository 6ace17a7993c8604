"""Find the rows of a mart of which an input changed: a run makes only these again.

staged row, and what all rows share  ->  input_select()  ->  input_hash  ->  find_changed_rows()  ->  their keys
"""

import hashlib
import platform
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import duckdb
import polars as pl

from assets.delivery.mart.fingerprints import source_digest
from assets.delivery.mart.lookup import Lookups
from assets.delivery.mart.references import References
from assets.delivery.mart.transform import Transform
from assets.delivery.mart.typed_values import typed_columns
from assets.delivery.schemas import INPUT_HASH
from assets.delivery.spec.expressions import TODAY, source_columns
from assets.delivery.spec.record_map import RecordMap
from assets.delivery.spec.sources import key_column
from resources.warehouse.tables import columns_of, has_table, hashable, insert_frame, quoted

MIN_ROWS = 1000  # up to so many changed rows are always made alone
MAX_SHARE = 0.2  # if more than this share of the rows changed, all are made again, which is faster then
LIFECYCLE = ("is_inactive", "is_deleted")  # columns that every record map reads
_CODE = Path(__file__).parents[2]  # the assets: the code that makes rows


def shared_inputs(
    con: duckdb.DuckDBPyConnection, transform: Transform, version: str, lookups: Lookups, references: References
) -> str:
    """Return a fingerprint of all that the rows of a mart have in common, the code that makes them included.

    Args:
        con: The warehouse.
        transform: The transformation.
        version: Fingerprint of the workflow file.
        lookups: The value list of each lookup.
        references: The target ids of other workflows' records.
    """
    records = transform.spec.records
    staged = [(each.table, typed_columns(con, each.table), [*columns_of(con, each.table).items()]) for each in records]
    is_dated = any(TODAY in source_columns(each, transform.workflow) for each in records)
    unread = [
        (str(key), each.reason, None if each.keys is None else sorted(each.keys))
        for key, each in transform.unread.items()
    ]
    lists = [(repr(key), sorted(values.items())) for key, values in lookups.lists.items()]
    ids = [(key, sorted(values.items())) for key, values in references.ids.items()]
    never_read = [(key, sorted(names.items())) for key, names in transform.never_read.items()]
    is_held = any(transform.forgotten.values())
    inputs = (
        version, _code_version(), staged, transform.today if is_dated else None, sorted(unread, key=repr),
        sorted(lists), sorted(ids), sorted(never_read), *([sorted(transform.forgotten.items())] if is_held else ()),
    )  # fmt: skip
    return _digest([repr(inputs).encode()])


@cache
def _code_version() -> str:
    """Return a fingerprint of the code that makes rows and of the libraries that it uses."""
    code = sorted(_CODE.rglob("*.py"))
    versions = (platform.python_version(), pl.__version__, duckdb.__version__)
    return _digest([repr(versions).encode(), *(path.read_bytes() for path in code)])


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.blake2b(b"\0".join(parts), digest_size=16).hexdigest()


def input_select(con: duckdb.DuckDBPyConnection, record: RecordMap, shared: str) -> str:
    """Return `select … from <staging table> as staged`: its columns, typed, and the fingerprints of each row."""
    added = "".join(f", {column}" for column in typed_columns(con, record.table))
    read = source_digest(sorted({*source_columns(record, ""), *LIFECYCLE} - {TODAY}))
    hashes = f"{read} as source_hash, {_hash(con, record, shared)} as {INPUT_HASH}"
    return f"select *{added}, {hashes} from {quoted(record.table)} as staged"


def _hash(con: duckdb.DuckDBPyConnection, record: RecordMap, shared: str) -> str:
    """Return the expression of INPUT_HASH: which inputs are shared can be seen without reading the staged record.

    DuckDB's hash has 64 bits, and takes half a second for a million rows of 40 columns; its md5 of them takes three
    times as long.
    """
    return f"'{_visible(shared)}' || hash({hashable(columns_of(con, record.table))}, '{shared}')"


def _visible(shared: str) -> str:
    return f"{shared[:8]}:"


def find_changed_rows(
    con: duckdb.DuckDBPyConnection, mart: str, columns: Sequence[str], transform: Transform, shared: str
) -> int | None:
    """Write to `_updated` the keys of the rows that are new or gone, or whose inputs or level changed.

    Returns:
        Their number; None if the whole mart should be made: there is none, or it has other columns, or too much
        changed.
    """
    if not has_table(con, mart) or list(columns_of(con, mart)) != list(columns):
        return None
    query = f"select count(*), count(*) filter (not starts_with({INPUT_HASH}, ?)) from {quoted(mart)}"
    rows, others = con.execute(query, [_visible(shared)]).fetchall()[0]
    most = max(MIN_ROWS, MAX_SHARE * rows)
    if others > most:
        return None
    con.execute("create or replace temp table _levels (source varchar, source_id varchar, level integer)")
    insert_frame(con, "_levels", transform.levels)
    staged = " union all ".join(_staged(con, record, shared) for record in transform.spec.records)
    con.execute(_CHANGED.format(staged=staged, mart=quoted(mart)))
    changed, keyed = con.execute("select count(*), count(source_id) from _updated").fetchall()[0]
    return None if changed > most or keyed < changed else int(changed)


def _staged(con: duckdb.DuckDBPyConnection, record: RecordMap, shared: str) -> str:
    key = f"cast({quoted(key_column(record.source))} as varchar)"
    columns = f"'{record.source}' as source, {key} as source_id, {_hash(con, record, shared)} as {INPUT_HASH}"
    return f"select {columns} from {quoted(record.table)} as staged"


_CHANGED = f"""
create or replace temp table _updated as
select source, source_id
from (
    select source, source_id, {INPUT_HASH}, coalesce(level, 1) as level
    from ({{staged}}) as staged left join _levels using (source, source_id)
) as staged
full join (select source, source_id, {INPUT_HASH}, level from {{mart}}) as made using (source, source_id)
where staged.{INPUT_HASH} is distinct from made.{INPUT_HASH} or staged.level is distinct from made.level
order by source, source_id
"""
