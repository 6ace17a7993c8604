"""Reads the rows of one thing from NetSuite: all, those that changed, or those asked for by id.

Reading.rows(conditions)  ->  first page (settles which columns exist)  ->  shards over all lanes  ->  Spool
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from assets.netsuite.extract.column_probe import Columns
from assets.netsuite.extract.found import Remembered
from assets.netsuite.extract.spool import Shape, Spool
from assets.netsuite.extract.stage_routing import table_sql
from assets.netsuite.record_types import STAGES, RecordType
from assets.netsuite.suiteql_file import Query
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.id_ranges import Shard
from resources.netsuite.pages import RawPage
from resources.netsuite.parallel_fetch import SweptPage, sweep

IN_LIST = 1000  # values that NetSuite takes in one IN
SPARE = 1  # readers more than lanes: one stands ready with its next call while another looks at its answer
BEFORE_ALL = -1_000_000_000  # NetSuite's own rows may have negative ids
TIMES = "%Y-%m-%d %H:%M:%S"

Text = Callable[[Query, Sequence[str]], str]


@dataclass(frozen=True)
class Extent:
    """How many rows a condition has, and their highest key."""

    rows: int
    highest: int


def chunks(values: Sequence[str]) -> list[Sequence[str]]:
    """Values in lists that NetSuite takes in one IN."""
    return [values[start : start + IN_LIST] for start in range(0, len(values), IN_LIST)]


class Reading:
    """One thing being read; what it lacks is told in `warnings`."""

    def __init__(
        self,
        client: NetSuiteClient,
        record_type: RecordType,
        folder: Path,
        custom_columns: Sequence[str] = (),
        remembered: Remembered | None = None,
    ) -> None:
        """Begin.

        Args:
            client: NetSuite.
            thing: What to read.
            folder: Where the rows are kept meanwhile.
            custom_columns: Custom fields beside the columns of the SQL file.
            remembered: What the warehouse knows of its columns.
        """
        self._client, self._folder = client, folder
        self.record_type = record_type
        self.columns = Columns(client, record_type, custom_columns, remembered)
        self._told: list[str] = []
        self._spools = 0

    @property
    def query(self) -> Query:
        """What is read."""
        return self.columns.query

    @property
    def warnings(self) -> list[str]:
        """What an operator should know."""
        return [*self.columns.warnings, *self._told]

    def warn(self, text: str) -> None:
        """Tell the operator something."""
        self._told.append(text)

    def rows(self, conditions: Sequence[str] = (), params: Sequence[str] = (), *, many: bool = False) -> Spool:
        """Every row that meets the conditions.

        Args:
            conditions: SuiteQL with `?` for values.
            params: The values, in order.
            many: More than a page is expected: what must be known to read on is asked beside the first page.
        """
        start = Shard(BEFORE_ALL, conditions=conditions, params=params)
        first, extent = self._begin(start, Query.page, many=many)
        return self._spooled(self._shape(), chain([first], self._rest(start, first, extent, Query.page)))

    def rows_with(self, expression: str, values: Sequence[str]) -> Spool:
        """Every row in which an expression has one of these values."""
        shards = [
            Shard(BEFORE_ALL, conditions=[f"{expression} in ({', '.join('?' * len(some))})"], params=some)
            for some in chunks(values)
        ]
        pages: Iterable[SweptPage] = ()
        if shards:
            first = self._first(shards[0], Query.page)  # settles the columns before lanes run side by side
            others = shards[1:]
            if first.page.has_more and first.page.last_key is not None:
                shards[0].after = first.page.last_key
                others = shards
            pages = chain([first], self._swept(others, Query.page))
        return self._spooled(self._shape(), pages)

    def ids(self) -> Spool:
        """The keys of all rows that NetSuite shows."""
        start = Shard(BEFORE_ALL)
        first, extent = self._begin(start, Query.ids, many=True)
        key = self.query.key
        table = self.record_type.raw_tables[0]
        shape = Shape(key, (key,), f"'{table}'", table)
        return self._spooled(shape, chain([first], self._rest(start, first, extent, Query.ids)))

    def existing(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids that NetSuite shows."""

        def look(some: Sequence[str]) -> list[str]:
            text = self.query.ids([f"{self.query.key_expression} in ({', '.join('?' * len(some))})"])
            pages = self._client.read_keyset(text, some, key=self.query.key)
            return [row[self.query.key] for page in pages for row in page]

        return set(chain.from_iterable(self._client.lanes.each(look, chunks(ids))))

    def shows_rows(self) -> bool:
        """Whether NetSuite shows any row: a role that lost a permission may see an empty table."""
        return bool(next(self._client.read_keyset(self.query.ids(), key=self.query.key), []))

    def _begin(self, start: Shard, text: Text, *, many: bool) -> tuple[SweptPage, Extent | None]:
        """The first page, and beside it what will be needed to read the rest side by side."""
        if not many or self._client.concurrency == 1:  # before calls leave side by side: how many may?
            return self._first(start, text), None
        jobs: list[Callable[[], Any]] = [
            lambda: self._first(start, text),
            lambda: self._extent(start),
            lambda: self._client.session_zone_offset,
        ]
        done = dict(self._client.lanes.each(lambda number: (number, jobs[number]()), range(len(jobs))))
        return done[0], done[1]

    def _first(self, start: Shard, text: Text) -> SweptPage:
        def ask(query: Query) -> RawPage:
            return self._client.page(text(query, start.conditions), (*start.params, str(start.after)), query.key)

        page = self.columns.first_page(ask) if text is Query.page else ask(self.query)
        return SweptPage(page, start.after, None)

    def _extent(self, start: Shard) -> Extent:
        text = self.query.extent(start.conditions)
        told = self._client.suiteql(text, (*start.params, str(start.after)))[0]
        return Extent(int(told.get("n", "0")), int(told.get("hi", start.after)))

    def _rest(self, start: Shard, first: SweptPage, extent: Extent | None, text: Text) -> Iterator[SweptPage]:
        """The pages behind the first one, read side by side."""
        if not first.page.has_more or first.page.last_key is None:
            return
        start.after = first.page.last_key
        known = extent or self._extent(start)
        behind = known.rows - (first.page.count if extent else 0)
        start.highest = max(known.highest, start.after + 1)
        start.per_key = min(1.0, max(1, behind) / (start.highest - start.after))
        yield from self._swept([start], text)

    def _swept(self, shards: Sequence[Shard], text: Text) -> Iterator[SweptPage]:
        query = self.query  # settled by now

        def fetch(shard: Shard) -> RawPage:
            upto = [] if shard.upto is None else [str(shard.upto)]
            conditions = [*shard.conditions, *(f"{query.key_expression} <= ?" for _ in upto)]
            return self._client.page(text(query, conditions), (*shard.params, *upto, str(shard.after)), query.key)

        lanes = self._client.concurrency
        return sweep(lanes + SPARE * (lanes > 1), shards, fetch) if shards else iter(())

    def _spooled(self, shape: Shape, pages: Iterable[SweptPage]) -> Spool:
        folder = self._folder / f"{self._spools:02}"
        folder.mkdir()
        spool = Spool(folder, shape, place=self._spools)
        self._spools += 1
        spool.take(pages)
        return spool

    def _shape(self) -> Shape:
        query = self.query
        return Shape(
            key=query.key,
            columns=query.names,
            table=table_sql(self.record_type, query, self._client),
            unknown=f"raw_netsuite__{STAGES['CUSTOMER']}" if self.record_type.split else self.record_type.raw_tables[0],
            shown=tuple((name, self._in_utc(name)) for name in self.columns.local_times),
        )

    def _in_utc(self, name: str) -> str:
        """SQL that brings a time of the session's zone to UTC, by today's offset."""
        ahead = self._client.session_zone_offset
        seconds = 0 if ahead is None else int(ahead.total_seconds())
        return f"""strftime(try_strptime("{name}", '{TIMES}') - interval ({seconds}) seconds, '{TIMES}')"""
