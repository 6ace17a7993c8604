"""Read the rows of one record type from NetSuite: all, those that changed, or selected ones.

Reader.rows(conditions)  ->  first page (determines which columns exist)  ->  id ranges in parallel  ->  Spool
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from assets.netsuite.extract.capabilities import KnownColumns
from assets.netsuite.extract.column_probe import ColumnProbe
from assets.netsuite.extract.spool import Spool, SpoolLayout
from assets.netsuite.extract.stage_routing import raw_table_sql
from assets.netsuite.extract.unreadable_rows import MAX_ROWS, PAGE_ERRORS, find_unreadable, may_be_a_row
from assets.netsuite.record_types import STAGES, RecordType
from assets.netsuite.suiteql_file import Query
from resources.errors import ContractError, IntegrationError, TransientError
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.id_ranges import IdRange
from resources.netsuite.pages import RawPage
from resources.netsuite.parallel_fetch import FetchedPage, fetch_pages
from resources.netsuite.rejected_columns import missing_if_rejected
from resources.scalars import as_whole

MAX_IN_LIST = 1000  # values that NetSuite accepts in one IN
SPARE_THREADS = 1  # more than concurrency slots: one has its next call ready while another handles its answer
BEFORE_ALL = -1_000_000_000  # NetSuite's own rows may have negative ids
TIMESTAMP = "%Y-%m-%d %H:%M:%S"

PageText = Callable[[Query, Sequence[str]], str]


@dataclass(frozen=True)
class Extent:
    """Number of rows that meet a condition, and their highest key."""

    rows: int
    highest: int


def in_lists(values: Sequence[str]) -> list[Sequence[str]]:
    """Split values into lists that NetSuite accepts in one IN."""
    return [values[start : start + MAX_IN_LIST] for start in range(0, len(values), MAX_IN_LIST)]


def _is_in(expression: str, values: Sequence[str]) -> str:
    return f"{expression} in ({', '.join('?' * len(values))})"


def _warn_of_unreadable(name: str, unreadable: Mapping[str, str]) -> list[str]:
    """Return the warning about rows that NetSuite cannot show."""
    if not unreadable:
        return []
    keys = ", ".join(sorted(unreadable, key=int))
    answer = next(iter(unreadable.values()))
    fix = "open and save them in NetSuite, or ask its support"
    return [f"{name} {keys}: NetSuite cannot show these rows ({answer}); they stay as they were read before; {fix}"]


def _limited(shard: IdRange, query: Query) -> tuple[list[str], list[str]]:
    """Return the conditions of a range, and their values."""
    upto = [] if shard.last is None else [str(shard.last)]
    return [*shard.conditions, *(f"{query.key_expression} <= ?" for _ in upto)], [*shard.params, *upto]


class Reader:
    """Reads one record type; problems that do not stop it are listed in `warnings`."""

    def __init__(
        self,
        client: NetSuiteClient,
        record_type: RecordType,
        folder: Path,
        custom_columns: Sequence[str],
        known_columns: KnownColumns,
    ) -> None:
        """Create a reader of the SQL file's columns and custom fields; rows are kept in `folder` until the load."""
        self._client, self._folder = client, folder
        self.record_type = record_type
        self.columns = ColumnProbe(client, record_type, custom_columns, known_columns)
        self._warnings: list[str] = []
        self._spools = 0
        self.unreadable: dict[str, str] = {}  # keys of rows that NetSuite cannot show, and its answer
        self._searching = threading.Lock()

    @property
    def query(self) -> Query:
        """The query, with the columns that the account has."""
        return self.columns.query

    @property
    def warnings(self) -> list[str]:
        """Problems that an operator should know."""
        return [*self.columns.warnings, *self._warnings, *_warn_of_unreadable(self.record_type.name, self.unreadable)]

    def warn(self, text: str) -> None:
        """Add a warning."""
        self._warnings.append(text)

    def rows(self, conditions: Sequence[str] = (), params: Sequence[str] = (), *, many: bool = False) -> Spool:
        """Read every row that meets the conditions.

        Args:
            conditions: SuiteQL with `?` for values.
            params: The values, in order.
            many: More than a page is expected: ask what the following pages need in parallel with the first page.
        """
        start = IdRange(BEFORE_ALL, conditions=conditions, params=params)
        first, extent = self._begin(start, Query.page, many=many)
        return self._spool(self._layout(), chain([first], self._rest(start, first, extent, Query.page)))

    def rows_with(self, expression: str, values: Sequence[str]) -> Spool:
        """Read every row in which an expression has one of these values."""
        shards = [IdRange(BEFORE_ALL, conditions=[_is_in(expression, some)], params=some) for some in in_lists(values)]
        pages: Iterable[FetchedPage] = ()
        if shards:
            first = self._first(shards[0], Query.page)  # determines the columns before calls run in parallel
            others = shards[1:]
            if first.page.has_more and first.page.last_key is not None:
                shards[0].after = first.page.last_key
                others = shards
            pages = chain([first], self._fetch_all(others, Query.page))
        return self._spool(self._layout(), pages)

    def rows_in(self, ranges: Sequence[tuple[int, int]]) -> Spool:
        """Read every row with a key above the first and up to the second number of a range.

        The columns must be known: a page was read before.
        """
        shards = [IdRange(after, last) for after, last in ranges]
        return self._spool(self._layout(), self._fetch_all(shards, Query.page))

    def ids(self) -> Spool:
        """Read the keys of all rows that NetSuite shows."""
        start = IdRange(BEFORE_ALL)
        first, extent = self._begin(start, Query.ids, many=True)
        key, table = self.query.key, self.record_type.raw_tables[0]
        layout = SpoolLayout(key, (key,), f"'{table}'", table)
        return self._spool(layout, chain([first], self._rest(start, first, extent, Query.ids)))

    def existing(self, ids: Sequence[str]) -> set[str]:
        """Return those ids that NetSuite shows."""
        return self._existing(self.query, ids)

    def existing_of(self, record_type: RecordType, ids: Sequence[str]) -> set[str]:
        """Return those ids of another record type that NetSuite shows."""
        return self._existing(record_type.query, ids)

    def _existing(self, query: Query, ids: Sequence[str]) -> set[str]:
        def look_up(some: Sequence[str]) -> list[str]:
            pages = self._client.read_keyset(query.ids([_is_in(query.key_expression, some)]), some, key=query.key)
            return [row[query.key] for page in pages for row in page]

        return set(chain.from_iterable(self._client.concurrency.map_unordered(look_up, in_lists(ids))))

    def shows_rows(self) -> bool:
        """Return whether NetSuite shows any row: a role that lost a permission may see an empty table."""
        return bool(next(self._client.read_keyset(self.query.ids(), key=self.query.key), []))

    def _begin(self, start: IdRange, text: PageText, *, many: bool) -> tuple[FetchedPage, Extent | None]:
        """Read the first page and, in parallel, what the following pages need."""
        if not many or self._client.max_concurrency() == 1:  # reads the limits, before calls run in parallel
            return self._first(start, text), None
        jobs: list[Callable[[], Any]] = [
            lambda: self._first(start, text),
            lambda: self._extent(start),
            lambda: self._client.session_zone_offset,
        ]
        done = dict(self._client.concurrency.map_unordered(lambda number: (number, jobs[number]()), range(len(jobs))))
        return done[0], done[1]

    def _first(self, start: IdRange, text: PageText) -> FetchedPage:
        def ask(query: Query) -> RawPage:
            conditions, params = self._but_unreadable(start.conditions, start.params)
            return self._client.raw_page(text(query, conditions), (*params, str(start.after)), query.key)

        def first_page() -> RawPage:
            return self.columns.first_page(ask)

        page = self._around_unreadable(start, first_page) if text is Query.page else ask(self.query)
        return FetchedPage(page, start.after, None)

    def _but_unreadable(self, conditions: Sequence[str], params: Sequence[str]) -> tuple[list[str], list[str]]:
        """Add to conditions and their values that the rows which cannot be read are left out."""
        keys = list(self.unreadable)
        return [*conditions, *(f"{self.query.key_expression} <> ?" for _ in keys)], [*params, *keys]

    def _around_unreadable(self, id_range: IdRange, fetch: Callable[[], RawPage]) -> RawPage:
        """Fetch a page; if a row of it makes NetSuite fail, without that row."""
        known = len(self.unreadable)
        try:
            return fetch()
        except PAGE_ERRORS as error:
            if not may_be_a_row(self.record_type, error):
                raise
            with self._searching:
                if len(self.unreadable) == known and not self._find_unreadable(id_range, error):
                    raise
        return self._around_unreadable(id_range, fetch)

    def _find_unreadable(self, id_range: IdRange, error: IntegrationError) -> bool:
        conditions, params = self._but_unreadable(*_limited(id_range, self.query))
        found = find_unreadable(self._client, self.query, conditions, params, str(id_range.after))
        if len(self.unreadable) + len(found) > MAX_ROWS:
            return False
        self.unreadable.update(dict.fromkeys(found, error.reason))
        return bool(found)

    def unreadable_keys(self) -> Spool:
        """Return the keys of the rows that cannot be read, which NetSuite shows nevertheless."""
        key, table = self.query.key, self.record_type.raw_tables[0]
        keys = sorted(self.unreadable, key=int)
        body = orjson.dumps([{key: each} for each in keys])
        page = RawPage(body, 0, len(body), len(keys), int(keys[-1]), has_more=False, operation="list unreadable rows")
        return self._spool(SpoolLayout(key, (key,), f"'{table}'", table), [FetchedPage(page, BEFORE_ALL, None)])

    def _extent(self, start: IdRange) -> Extent:
        """Return how the work can be split; no row depends on it, so what NetSuite does not answer is unknown."""
        try:
            with missing_if_rejected(self._client, self.record_type.table):
                row = self._client.row(self.query.extent(start.conditions), (*start.params, str(start.after)))
        except (TransientError, ContractError):
            row = {}
        rows, highest = as_whole(row.get("n")), as_whole(row.get("hi"))
        return Extent(rows or 0, start.after if highest is None else highest)

    def _rest(self, start: IdRange, first: FetchedPage, extent: Extent | None, text: PageText) -> Iterator[FetchedPage]:
        """Read the pages after the first one in parallel."""
        if not first.page.has_more or first.page.last_key is None:
            return
        start.after = first.page.last_key
        known = extent or self._extent(start)
        remaining = known.rows - (first.page.count if extent else 0)
        start.highest = max(known.highest, start.after + 1)
        start.rows_per_key = min(1.0, max(1, remaining) / (start.highest - start.after))
        yield from self._fetch_all([start], text)

    def _fetch_all(self, shards: Sequence[IdRange], text: PageText) -> Iterator[FetchedPage]:
        query = self.query  # does not change after the first page

        def ask(shard: IdRange) -> RawPage:
            conditions, params = _limited(shard, query)
            if text is Query.page:
                conditions, params = self._but_unreadable(conditions, params)
            return self._client.raw_page(text(query, conditions), (*params, str(shard.after)), query.key)

        def fetch(shard: IdRange) -> RawPage:
            return self._around_unreadable(shard, lambda: ask(shard)) if text is Query.page else ask(shard)

        slots = self._client.max_concurrency()
        return fetch_pages(slots + SPARE_THREADS * (slots > 1), shards, fetch) if shards else iter(())

    def _spool(self, layout: SpoolLayout, pages: Iterable[FetchedPage]) -> Spool:
        folder = self._folder / f"{self._spools:02}"
        folder.mkdir()
        spool = Spool(folder, layout, sequence=self._spools)
        self._spools += 1
        spool.add(pages)
        return spool

    def _layout(self) -> SpoolLayout:
        query, tables = self.query, self.record_type.raw_tables
        return SpoolLayout(
            key=query.key,
            columns=query.names,
            table=raw_table_sql(self.record_type, query, self._client),
            default_table=f"raw_netsuite__{STAGES['CUSTOMER']}" if self.record_type.has_stages else tables[0],
            conversions=tuple((name, self._in_utc(name)) for name in self.columns.local_times),
        )

    def _in_utc(self, name: str) -> str:
        """Return SQL that converts a time in the session's zone to UTC, by today's offset."""
        ahead = self._client.session_zone_offset
        seconds = 0 if ahead is None else int(ahead.total_seconds())
        return f"""strftime(try_strptime("{name}", '{TIMESTAMP}') - interval ({seconds}) seconds, '{TIMESTAMP}')"""
