"""Rows on their way into the warehouse: checked, fingerprinted and kept on disk, so that memory does not grow with them.

pages as bytes (sweep)  ->  DuckDB reads the JSON, 8 pages at a time  ->  Parquet files  ->  load, in one transaction

No cell passes through Python. What a page announced is compared with what DuckDB found in it: rows, cells, last key,
ascending order. When they differ, the page is read again with care, which mends it or says what is wrong.
"""

import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb

from resources.errors import ContractError
from resources.netsuite.pages import RawPage
from resources.netsuite.parallel_fetch import SweptPage
from resources.warehouse.backend import literal
from resources.warehouse.tables import quoted

ROW_HASH = "_row_hash"
TABLE = "_table"  # which raw table a row belongs to
TOLD = "_told"  # whether NetSuite told so
PLACE = "_place"  # of two readings of one row the later one counts
BATCH = 4  # pages
MEMORY = "256MB"  # the JSON reader sets 32 MB aside for each file of a batch
MOST_BYTES = 4 * 1024 * 1024  # of one row; DuckDB sets twice as much aside
SMALL = 256 * 1024  # bytes of a page that is read in a connection kept for such: a new one costs 40 ms
KEPT = "scratch"
_here = threading.local()


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder beside the warehouse for the time of one extraction; only this user may look into it."""
    (folder / KEPT).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="netsuite_", dir=folder / KEPT) as path:
        yield Path(path)


@dataclass(frozen=True)
class Shape:
    """What the rows of a spool look like.

    Attributes:
        key: Name of the key column; a whole number.
        columns: Names of the columns as NetSuite sends them, the key among them.
        shown: What is kept of a column where it is not what was sent: SQL over the columns.
        table: SQL for the raw table of a row; null where NetSuite does not tell.
        unknown: The raw table of rows of which NetSuite does not tell.
    """

    key: str
    columns: tuple[str, ...]
    table: str
    unknown: str
    shown: tuple[tuple[str, str], ...] = ()

    @property
    def hashed(self) -> str:
        """SQL of a row's fingerprint: names and values in the order of names; empty and missing are the same.

        What is kept instead of a column does not count, only what was sent. The separator is a control character
        that no form of NetSuite takes.
        """
        parts = (f"'{name}=' || {quoted(name)}" for name in sorted(self.columns))
        return f"md5(concat_ws(chr(31), {', '.join(parts)}))"


class Spool:
    """Parquet files of one reading."""

    def __init__(self, folder: Path, shape: Shape, place: int = 0) -> None:
        """Begin a spool.

        Args:
            folder: Its own.
            shape: Of its rows.
            place: Among the spools of one extraction, in the order of time.
        """
        self._folder, self.shape, self._place = folder, shape, place
        self.files: list[Path] = []
        self.rows = 0
        self.untold = 0  # rows of which NetSuite does not tell the raw table

    def take(self, pages: Iterable[SweptPage]) -> None:
        """Keep the rows of some pages.

        Raises:
            ContractError: A page does not hold what it announced, or its keys do not ascend.
        """
        coming = iter(pages)
        while batch := list(islice(coming, BATCH)):
            filled = [page for page in batch if page.page.count]
            if len(filled) == 1 and len(filled[0].page.items) <= SMALL:
                self._keep(_small(), filled)
            elif filled:
                with duckdb.connect() as con:
                    con.execute(f"set temp_directory = {literal(str(self._folder))}")
                    self._keep(con, filled)

    def _keep(self, con: duckdb.DuckDBPyConnection, batch: list[SweptPage]) -> None:
        con.execute(f"set memory_limit = '{MEMORY}'")
        con.execute("set threads = 1")  # the other cores are for the lanes
        if not self._fits(con, batch):
            batch = [SweptPage(each.page.careful(), each.after, each.upto) for each in batch]
            if not self._fits(con, batch):
                reason = "a page holds other rows or cells than it announced, or its keys do not ascend"
                raise ContractError("netsuite", batch[0].page.operation, f"{reason}: rows could be lost or repeated")
        path = self._folder / f"{len(self.files):06}.parquet"
        con.execute(f"copy ({self._selected()}) to {literal(str(path))} (format parquet)")
        untold, rows = con.execute(
            f"select count(*) filter (not {TOLD}), count(*) from read_parquet({literal(str(path))})"
        ).fetchall()[0]
        self.files.append(path)
        self.rows += rows
        self.untold += untold

    def _fits(self, con: duckdb.DuckDBPyConnection, batch: list[SweptPage]) -> bool:
        """Read the pages into the table `batch`; whether each holds what it announced."""
        expected = [(number, *_announced(page)) for number, page in enumerate(batch)]
        if any(cells is None for *_, cells in expected):
            return False
        columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in self.shape.columns)
        paths = [self._folder / f"page_{number:03}.json" for number in range(len(batch))]
        for path, page in zip(paths, batch, strict=True):
            path.write_bytes(page.page.items)
        files = ", ".join(literal(str(path)) for path in paths)
        try:
            con.execute(
                f"create or replace temp table batch as select * replace (right(filename, 8)[:3]::integer as filename)"
                f" from read_json([{files}], format = 'array', columns = {{{columns}}}, filename = true,"
                f" maximum_object_size = {MOST_BYTES})"
            )
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            return False
        con.execute(
            "create or replace temp table expected (page integer, after bigint, upto bigint, last bigint,"
            " rows bigint, cells bigint)"
        )
        con.executemany("insert into expected values (?, ?, ?, ?, ?, ?)", expected)
        return not con.execute(self._misfits()).fetchall()

    def _misfits(self) -> str:
        key = quoted(self.shape.key)
        cells = " + ".join(f"count({quoted(name)})" for name in self.shape.columns)
        return f"""
            with counted as (select filename, count(*) as rows, {cells} as cells from batch group by filename),
            keys as (
                select filename, try_cast({key} as bigint) as number, lag(try_cast({key} as bigint)) over
                    (partition by filename order by rowid) as previous
                from batch
            ),
            ordered as (
                select filename, max(number) as last,
                    count(*) filter (number is null or number <= coalesce(previous, after)) as wrong
                from keys inner join expected on expected.page = keys.filename
                group by filename
            )
            select page
            from expected
            left join counted on counted.filename = expected.page
            left join ordered on ordered.filename = expected.page
            where (counted.rows, counted.cells, ordered.last, ordered.wrong) is distinct from
                (expected.rows, expected.cells, expected.last, 0)
        """

    def _selected(self) -> str:
        shape = self.shape
        shown = dict(shape.shown)
        listed = ", ".join(
            f"{shown[name]} as {quoted(name)}" if name in shown else quoted(name) for name in shape.columns
        )
        key = f"cast({quoted(shape.key)} as bigint)"
        return f"""
            select {listed}, {shape.hashed} as {ROW_HASH}, coalesce({shape.table}, {literal(shape.unknown)}) as {TABLE},
                ({shape.table}) is not null as {TOLD}, {self._place} as {PLACE}
            from batch inner join expected on expected.page = batch.filename
            where expected.upto is null or {key} <= expected.upto
        """


def _small() -> duckdb.DuckDBPyConnection:
    """This thread's own connection for single small pages."""
    con: duckdb.DuckDBPyConnection | None = getattr(_here, "connection", None)
    if con is None:
        con = _here.connection = duckdb.connect()
    return con


def _announced(swept: SweptPage) -> tuple[int, int | None, int | None, int, int | None]:
    page = swept.page
    return swept.after, swept.upto, page.last_key, page.count, page.cells


def relation(spools: Sequence[Spool], columns: str = "*") -> str:
    """SQL that selects columns from some spools; they hold at least one row."""
    files = ", ".join(literal(str(path)) for spool in spools for path in spool.files)
    return f"select {columns} from read_parquet([{files}], union_by_name = true)"


def pages_of(pages: Iterable[RawPage]) -> Iterator[SweptPage]:
    """Pages that were read whole and belong together with nothing else."""
    return (SweptPage(page, -(2**62), None) for page in pages)
