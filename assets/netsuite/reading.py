"""Reads the rows of one thing from NetSuite into frames: all, those that changed, or those asked for by id.

Reading.rows(conditions)  ->  first page (settles which columns exist)  ->  shards side by side  ->  one frame

A frame has the query's columns, all text as sent, and `_row_hash`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import orjson
import polars as pl

from assets.netsuite.things import Thing
from resources.errors import RequestRejectedError
from resources.netsuite.client import PAGE, NetSuiteClient, Row
from resources.netsuite.refusals import UnknownColumnError

ROW_HASH = "_row_hash"
SHARD_PAGES = 4  # at least: the last page of a shard is seldom full
SHARDS_PER_LANE = 4  # at most: so that no lane waits long for the slowest one
IN_LIST = 1000  # values that NetSuite takes in one IN
BEFORE_ALL = "-1000000000"  # NetSuite's own rows may have negative ids

# other columns that may hold what a column of ours should; netsuite.md §5.1 [U]
INSTEAD = {"searchstage": ("c.stage",)}


def hash_of(row: Row) -> str:
    """A fingerprint of a row's values; an empty column and a missing one are the same."""
    return hashlib.blake2b(orjson.dumps(row, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def frame_of(rows: Iterable[Row], names: Sequence[str]) -> pl.DataFrame:
    """Rows as a frame: the named columns and `_row_hash`, all text."""
    wanted = set(names)
    kept = [{name: value for name, value in row.items() if name in wanted} for row in rows]
    schema = dict.fromkeys((*names, ROW_HASH), pl.String)
    return pl.from_dicts([{**row, ROW_HASH: hash_of(row)} for row in kept], schema=schema)


def chunks(values: Sequence[str]) -> list[Sequence[str]]:
    """Values in lists that NetSuite takes in one IN."""
    return [values[start : start + IN_LIST] for start in range(0, len(values), IN_LIST)]


class Reading:
    """One thing being read; columns that the account does not know are left out and told of in `warnings`."""

    def __init__(self, client: NetSuiteClient, thing: Thing, custom_columns: Sequence[str] = ()) -> None:
        self._client = client
        self.thing = thing
        self.declared = thing.query.with_columns(custom_columns)
        self.query = self.declared
        self.warnings: list[str] = []
        self._instead = {name: list(others) for name, others in INSTEAD.items()}

    @property
    def columns_hash(self) -> str:
        """A fingerprint of what is read; another one asks for a full load."""
        listed = "\n".join(sorted(column.text for column in self.query.columns))
        return hashlib.blake2b(listed.encode(), digest_size=8).hexdigest()

    def rows(self, conditions: Sequence[str] = (), params: Sequence[str] = ()) -> pl.DataFrame:
        """Every row that meets the conditions.

        Args:
            conditions: SuiteQL with `?` for values.
            params: The values, in order.
        """
        first = self._first_page(conditions, params)
        pages = [first]
        if len(first) == PAGE:
            after = first[-1][self.query.key]
            pages.extend(self._rest(self.query.page, conditions, params, after))
        return pl.concat([frame_of(page, self.query.names) for page in pages])

    def rows_with(self, expression: str, values: Sequence[str]) -> pl.DataFrame:
        """Every row in which an expression has one of these values."""
        frames = [frame_of([], self.query.names)]
        if values:
            some, *others = chunks(values)
            frames.append(self.rows(*_one_of(expression, some)))  # settles the columns before lanes run side by side
            frames.extend(self._client.lanes.each(lambda chunk: self.rows(*_one_of(expression, chunk)), others))
        return pl.concat([frame.select(*self.query.names, ROW_HASH) for frame in frames])

    def ids(self) -> list[str]:
        """The keys of all rows that NetSuite shows."""
        pages = self._client.read_keyset(self.query.ids(), key=self.query.key, after=BEFORE_ALL)
        first = next(pages, [])
        found = [first]
        if len(first) == PAGE:
            found.extend(self._rest(self.query.ids, (), (), first[-1][self.query.key]))
        return [row[self.query.key] for page in found for row in page]

    def existing(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids that NetSuite shows."""
        found: set[str] = set()
        for chunk in chunks(ids):
            conditions, params = _one_of(self.query.key_expression, chunk)
            for page in self._client.read_keyset(self.query.ids(conditions), params, key=self.query.key):
                found.update(row[self.query.key] for row in page)
        return found

    def shows_rows(self) -> bool:
        """Whether NetSuite shows any row: a role that lost a permission may see an empty table."""
        return bool(next(self._client.read_keyset(self.query.ids(), key=self.query.key), []))

    def _first_page(self, conditions: Sequence[str], params: Sequence[str]) -> list[Row]:
        while True:
            pages = self._client.read_keyset(self.query.page(conditions), params, key=self.query.key, after=BEFORE_ALL)
            try:
                return next(pages, [])
            except UnknownColumnError as error:
                self._give_up(error)

    def _give_up(self, error: UnknownColumnError) -> None:
        """Do without the columns that NetSuite does not know, or say which one cannot be done without."""
        unknown = [column.name for column in self.query.columns if column.mentions(error.column)]
        if not unknown or self.thing.required & set(unknown):
            reason = (
                f"table {self.thing.table} has no column {error.column}, which is needed: let the role see the field,"
                " or correct the SQL file of this table"
            )
            raise RequestRejectedError("netsuite", f"query {self.thing.table}", reason, code=error.code) from error
        for name in unknown:
            if self._instead.get(name):
                self.query = self.query.instead(name, self._instead[name].pop(0))
            else:
                self.query = self.query.without([name])
                self.warnings.append(f"column {self.thing.table}.{name} is unknown to NetSuite and was left out")

    def _rest(
        self, text: Callable[[Sequence[str]], str], conditions: Sequence[str], params: Sequence[str], after: str
    ) -> Iterator[list[Row]]:
        """The pages behind a key, cut into ranges of keys that are read side by side."""
        key, client = self.query.key, self._client
        extent = client.suiteql(self.query.extent(conditions), (*params, after))[0]
        count = int(extent.get("n", "0"))
        if count == 0:
            return
        parts = -(-count // (SHARD_PAGES * PAGE))
        if parts == 1 or client.concurrency == 1:
            yield from client.read_keyset(text(conditions), params, key=key, after=after)
            return
        shards = cut(int(after), int(extent["hi"]), min(parts, SHARDS_PER_LANE * client.concurrency))
        within = (*conditions, f"{self.query.key_expression} <= ?")

        def read(shard: tuple[str, str]) -> list[list[Row]]:
            low, high = shard
            if not high:  # the last one is open: rows may have been added
                return list(client.read_keyset(text(conditions), params, key=key, after=low))
            return list(client.read_keyset(text(within), (*params, high), key=key, after=low))

        for pages in client.lanes.each(read, shards):
            yield from pages


def cut(low: int, high: int, parts: int) -> list[tuple[str, str]]:
    """Ranges (low, high] of whole numbers, side by side; the last one has no end."""
    edges = sorted({low + (high - low) * part // parts for part in range(parts + 1)})
    starts = [str(edge) for edge in edges[:-1]] or [str(low)]
    return list(zip(starts, [*starts[1:], ""], strict=True))


def _one_of(expression: str, values: Sequence[str]) -> tuple[list[str], Sequence[str]]:
    return [f"{expression} in ({', '.join('?' * len(values))})"], values
