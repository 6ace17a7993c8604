"""Rows on their way into the warehouse: verified, hashed and kept on disk, so that memory does not grow with them.

pages as bytes  ->  DuckDB reads the JSON, a few megabytes at a time  ->  Parquet files  ->  load, in one transaction

No cell of a large page passes through Python. What a page announced is compared with what DuckDB found in it: rows,
cells, last key, ascending order. If they differ, the page is parsed in Python, which normalizes it or says what is
wrong. A page of a few rows is parsed at once: that takes a fifth of the time.
"""

import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import duckdb
import orjson
import polars as pl

from resources.errors import ContractError
from resources.netsuite.pages import RawPage
from resources.netsuite.parallel_fetch import FetchedPage
from resources.scalars import as_whole
from resources.warehouse.connection import IdleConnections, connect
from resources.warehouse.tables import Arrow, literal, quoted

ROW_HASH = "_row_hash"
TABLE = "_table"  # raw table of the row
TABLE_KNOWN = "_table_known"  # false: NetSuite gave no stage, the default table was used
SEQUENCE = "_sequence"  # if a row was read twice, the later reading counts
BATCH_PAGES, BATCH_BYTES = 4, 8 * 1024 * 1024  # whichever is reached first; a larger page is a batch of its own
MEMORY = "256MB"  # the JSON reader reserves 32 MB for each file of a batch
MAX_ROW_BYTES = 4 * 1024 * 1024  # DuckDB reserves twice as much
SMALL_PAGE_BYTES = 256 * 1024  # smaller pages use a connection that is kept: a new one costs 40 ms
PARSED_PAGE_BYTES = 64 * 1024  # smaller pages are parsed in Python
INCONSISTENT = "a page holds other rows or cells than it announced, or its keys do not ascend: rows could be lost"
_idle = IdleConnections()  # for small pages
_parsed = threading.Lock()  # parsed pages share one connection: a second one costs as much as ten of them
_large = threading.Semaphore()  # batches in memory at once, however many tables are read


@dataclass(frozen=True)
class SpoolLayout:
    """Columns of a spool's rows.

    Attributes:
        key: Name of the key column; a whole number.
        columns: Names of the columns as NetSuite sends them, including the key.
        table: SQL expression for the raw table of a row; null if unknown.
        default_table: Raw table of rows whose table is unknown.
        conversions: SQL expressions of columns that are not stored as sent, by name.
    """

    key: str
    columns: tuple[str, ...]
    table: str
    default_table: str
    conversions: tuple[tuple[str, str], ...] = ()

    @property
    def row_hash(self) -> str:
        """SQL expression for the hash of a row's values as sent, ordered by name; missing and empty are the same.

        The separator is a control character that no NetSuite form accepts.
        """
        parts = (f"'{name}=' || {quoted(name)}" for name in sorted(self.columns))
        return f"md5(concat_ws(chr(31), {', '.join(parts)}))"


class Spool:
    """The Parquet files of one read."""

    def __init__(self, folder: Path, layout: SpoolLayout, sequence: int = 0) -> None:
        """Create an empty spool in a folder of its own; `sequence` is its position in the extraction."""
        self._folder, self.layout, self._sequence = folder, layout, sequence
        self.files: list[Path] = []
        self.rows = 0
        self.bytes = 0  # of the rows as received
        self.unrouted = 0  # rows that went to the default table
        self.repaired: list[tuple[str, str]] = []  # key and column of values that were no text
        self.left_out: set[str] = set()  # columns that were not asked for

    def add(self, pages: Iterable[FetchedPage]) -> None:
        """Write the rows of pages.

        Raises:
            ContractError: A page does not hold what it announced, or its keys do not ascend.
        """
        for batch in _batches(page for page in pages if page.page.count):
            size = sum(len(each.page.items) for each in batch)
            self.bytes += size
            if len(batch) == 1 and size <= PARSED_PAGE_BYTES:
                self._write_parsed(batch[0])
            elif len(batch) == 1 and size <= SMALL_PAGE_BYTES:
                with _kept_connection() as con:
                    self._write(con, batch)
            else:
                with _large, connect() as con:
                    con.execute(f"set temp_directory = {literal(str(self._folder))}")
                    _limit(con)
                    self._write(con, batch)

    def _write_parsed(self, page: FetchedPage) -> None:
        """Write the rows of a small page, each cell checked by `normalized`."""
        normalized = page.page.normalized(self.layout.columns)
        rows = orjson.loads(normalized.items)
        keys = [key for row in rows if (key := as_whole(row.get(self.layout.key))) is not None]
        ascends = all(low < high for low, high in pairwise([page.after, *keys]))
        if len(keys) < len(rows) or keys[-1:] != [page.page.last_key] or not ascends:
            raise ContractError("netsuite", page.page.operation, INCONSISTENT)
        self._note_repairs([normalized])
        kept = rows if page.last is None else rows[: bisect_right(keys, page.last)]
        columns = {name: [row.get(name) for row in kept] for name in self.layout.columns}
        _page = Arrow(pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)))  # DuckDB finds it by its name
        with _parsed, _kept_connection() as con:
            con.execute(f"copy ({self._selected('_page')}) to {literal(str(self._next_file()))} (format parquet)")
            unrouted = f"select count(*) from _page where ({self.layout.table}) is null"
            self.unrouted += con.execute(unrouted).fetchall()[0][0]
        self.rows += len(kept)

    def _write(self, con: duckdb.DuckDBPyConnection, batch: list[FetchedPage]) -> None:
        if not self._load(con, batch):
            batch = [FetchedPage(each.page.normalized(self.layout.columns), each.after, each.last) for each in batch]
            if not self._load(con, batch):
                raise ContractError("netsuite", batch[0].page.operation, INCONSISTENT)
        self._note_repairs([each.page for each in batch])
        path = literal(str(self._next_file()))
        in_range = f"range_end is null or cast({quoted(self.layout.key)} as bigint) <= range_end"
        of_batch = f"batch inner join expected on expected.page = batch.filename where {in_range}"
        con.execute(f"copy ({self._selected(of_batch)}) to {path} (format parquet)")
        counts = f"select count(*) filter (not {TABLE_KNOWN}), count(*) from read_parquet({path})"
        unrouted, rows = con.execute(counts).fetchall()[0]
        self.rows += rows
        self.unrouted += unrouted

    def _note_repairs(self, pages: Iterable[RawPage]) -> None:
        for page in pages:
            self.repaired += [(row[self.layout.key], name) for row, name in page.repaired]
            self.left_out |= page.left_out

    def _next_file(self) -> Path:
        self.files.append(self._folder / f"{len(self.files):06}.parquet")
        return self.files[-1]

    def _load(self, con: duckdb.DuckDBPyConnection, batch: list[FetchedPage]) -> bool:
        """Read the pages into the table `batch`; return whether each holds what it announced."""
        expected = [
            (number, each.after, each.last, each.page.last_key, each.page.count, each.page.cells)
            for number, each in enumerate(batch)
        ]
        if any(cells is None for *_, cells in expected):
            return False
        columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in self.layout.columns)
        paths = [self._folder / f"page_{number:03}.json" for number in range(len(batch))]
        for path, page in zip(paths, batch, strict=True):
            path.write_bytes(page.page.items)
        files = ", ".join(literal(str(path)) for path in paths)
        try:
            con.execute(
                f"create or replace temp table batch as select * replace (right(filename, 8)[:3]::integer as filename)"
                f" from read_json([{files}], format = 'array', columns = {{{columns}}}, filename = true,"
                f" maximum_object_size = {MAX_ROW_BYTES})"
            )
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            return False
        con.execute(
            "create or replace temp table expected (page integer, after bigint, range_end bigint, last_key bigint,"
            " rows bigint, cells bigint)"
        )
        con.executemany("insert into expected values (?, ?, ?, ?, ?, ?)", expected)
        return not con.execute(self._mismatches()).fetchall()

    def _mismatches(self) -> str:
        key = quoted(self.layout.key)
        cells = " + ".join(f"count({quoted(name)})" for name in self.layout.columns)
        return f"""
            with counted as (select filename, count(*) as rows, {cells} as cells from batch group by filename),
            keys as (
                select filename, try_cast({key} as bigint) as number, lag(try_cast({key} as bigint)) over
                    (partition by filename order by rowid) as previous
                from batch
            ),
            ordered as (
                select filename, max(number) as last_key,
                    count(*) filter (number is null or number <= coalesce(previous, after)) as wrong
                from keys inner join expected on expected.page = keys.filename
                group by filename
            )
            select page
            from expected
            left join counted on counted.filename = expected.page
            left join ordered on ordered.filename = expected.page
            where (counted.rows, counted.cells, ordered.last_key, ordered.wrong) is distinct from
                (expected.rows, expected.cells, expected.last_key, 0)
        """

    def _selected(self, rows: str) -> str:
        layout, conversions = self.layout, dict(self.layout.conversions)
        listed = ", ".join(f"{conversions.get(name, quoted(name))} as {quoted(name)}" for name in layout.columns)
        return f"""
            select {listed}, {layout.row_hash} as {ROW_HASH},
                coalesce({layout.table}, {literal(layout.default_table)}) as {TABLE},
                ({layout.table}) is not null as {TABLE_KNOWN}, {self._sequence} as {SEQUENCE}
            from {rows}
        """


@contextmanager
def _kept_connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection that is kept for the next page, unless there is an error."""
    con, is_limited = _idle.take()
    if not is_limited:
        _limit(con)
    yield con
    _idle.give_back(con, state=True)


def _limit(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(f"set memory_limit = '{MEMORY}'")
    con.execute("set threads = 1")  # the other cores fetch pages


def _batches(pages: Iterable[FetchedPage]) -> Iterator[list[FetchedPage]]:
    """Group pages by number and bytes."""
    batch: list[FetchedPage] = []
    for page in pages:
        size = sum(len(each.page.items) for each in (*batch, page))
        if batch and (len(batch) == BATCH_PAGES or size > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(page)
    if batch:
        yield batch


def spool_query(spools: Sequence[Spool], columns: str = "*") -> str:
    """Return SQL that selects columns from spools, which must hold at least one row."""
    files = ", ".join(literal(str(path)) for spool in spools for path in spool.files)
    return f"select {columns} from read_parquet([{files}], union_by_name = true)"
