"""Keeps the pond's copies of NetSuite's tables: what changed since the last run, or everything.

sync_watermarks  ->  NetSuite (rows, deletions, children of changed customers)  ->  load  ->  raw_netsuite__*

The next watermark is NetSuite's time before the first query. There is no upper bound: a row that changes while it is
read comes now or next time. Rows, deletions and watermark are written in one transaction, after the network is done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from types import MappingProxyType
from typing import Literal

import duckdb
import polars as pl

from assets.netsuite.deletions import nothing_deleted, read_deleted
from assets.netsuite.load import Batch, Counts, Guard, Scope, load
from assets.netsuite.reading import Reading, frame_of
from assets.netsuite.stages import with_tables
from assets.netsuite.things import THINGS, Thing
from assets.netsuite.watermarks import Watermark, naive, read_watermark, write_watermark
from resources.errors import TransientError
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.refusals import MissingTableError
from resources.warehouse import Warehouse, has_table, quoted

MANY_PARENTS = 10_000  # when more customers changed, their children are read whole: fewer calls


@dataclass(frozen=True)
class ExtractionSettings:
    """What an operator may say about reading NetSuite.

    Attributes:
        custom_columns: Custom fields to read, by thing: {"customers": ("custentity_region",)}.
        overlap_s: Seconds that are read twice, for changes that were being saved while we read.
        vanish_share: More vanished rows than this share (and at least `vanish_rows`) stop a load; 1 allows all.
        vanish_rows: Fewer vanished rows never stop it.
        optional_tables: Things that may be missing in this account (feature off): their raw table stays empty.
    """

    custom_columns: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    overlap_s: int = 900
    vanish_share: float = 0.2
    vanish_rows: int = 10
    optional_tables: frozenset[str] = frozenset()

    def with_columns(self, thing: str, names: Sequence[str]) -> "ExtractionSettings":
        """The settings with more custom fields of one thing, such as those that a workflow's mapping reads."""
        columns = tuple(dict.fromkeys((*self.custom_columns.get(thing, ()), *names)))
        return replace(self, custom_columns={**self.custom_columns, thing: columns})

    @property
    def guard(self) -> Guard:
        """The vanish guard."""
        return Guard(self.vanish_share, self.vanish_rows)


DEFAULTS = ExtractionSettings()


@dataclass(frozen=True)
class ExtractReport:
    """What one extraction did; inserted + updated + unchanged is what was read."""

    thing: str
    mode: Literal["full", "incremental", "whole", "reconcile", "missing"]
    read: int
    inserted: int
    updated: int
    unchanged: int
    moved: int
    deleted: int
    seconds: float
    calls: int
    rows: Mapping[str, int]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Read:
    """What came over the network."""

    mode: Literal["full", "incremental", "whole", "reconcile", "missing"]
    frame: pl.DataFrame
    deleted: pl.DataFrame
    scope: Scope | None


class Extraction:
    """One thing on its way from NetSuite into the pond."""

    def __init__(
        self, warehouse: Warehouse, client: NetSuiteClient, name: str, settings: ExtractionSettings, run_id: str
    ) -> None:
        self._started, self._calls = perf_counter(), client.calls
        self._began_at = client.clock.now()
        self._warehouse, self._client, self._settings, self._run_id = warehouse, client, settings, run_id
        self._thing: Thing = THINGS[name]
        self._reading = Reading(client, self._thing, settings.custom_columns.get(name, ()))
        with warehouse.writer(transaction=False) as con:
            self._mark = read_watermark(con, self._thing.table)
            self._parents = self._changed_parents(con)

    def run(self, *, full: bool) -> ExtractReport:
        """Read and load.

        Raises:
            IntegrationError: Nothing was changed.
        """
        watermark_at = self._client.server_time()
        try:
            read = self._read(full=full)
        except MissingTableError as error:
            if self._thing.name not in self._settings.optional_tables or self._mark is not None:
                raise
            self._reading.warnings.append(f"{error.reason}; it is optional and stays empty")
            empty = self._tabled(frame_of([], self._reading.query.names))
            return self._load(_Read("missing", empty, nothing_deleted(), None), None)
        zone = self._client.session_zone_offset if self._thing.modified else None
        mark = Watermark(
            source_table=self._thing.table,
            watermark_at=watermark_at,
            overlap_s=self._settings.overlap_s,
            columns_hash=self._reading.columns_hash,
            zone_offset_s=None if zone is None else int(zone.total_seconds()),
            began_at=self._began_at,
            run_id=self._run_id,
        )
        return self._load(read, mark)

    def reconcile(self) -> ExtractReport:
        """Compare all ids: read rows that were missed, mark rows that are gone; the watermark stays.

        Raises:
            IntegrationError: Nothing was changed.
        """
        ids = self._reading.ids()
        missed = sorted(set(ids) - self._live(None), key=int)
        frame = self._tabled(self._reading.rows_with(self._reading.query.key_expression, missed))
        return self._load(_Read("reconcile", frame, nothing_deleted(), Scope(ids, None, visible=bool(ids))), None)

    def _read(self, *, full: bool) -> _Read:
        if not self._thing.modified:
            return self._read_all("whole")
        if full or self._mark is None or len(self._parents) > MANY_PARENTS:
            return self._read_all("full")
        changed = self._changed(self._mark)
        if self._reading.columns_hash != self._mark.columns_hash:
            return self._read_all("full")
        if self._thing.parent:
            return self._with_children(changed)
        deleted = nothing_deleted()
        if self._thing.deleted_as:
            deleted = read_deleted(self._client, self._reading, self._mark.deletes_literal, self._live)
        return _Read("incremental", self._tabled(changed), deleted, None)

    def _read_all(self, mode: Literal["full", "whole"]) -> _Read:
        frame = self._tabled(self._reading.rows())
        keys = frame[self._reading.query.key].to_list()
        return _Read(mode, frame, nothing_deleted(), Scope(keys, None, visible=bool(keys)))

    def _changed(self, mark: Watermark) -> pl.DataFrame:
        since = mark.literal(self._client.session_zone_offset)
        condition = f"{self._thing.modified} >= to_timestamp(?, 'YYYY-MM-DD HH24:MI:SS')"
        return self._reading.rows([condition], [since])

    def _with_children(self, changed: pl.DataFrame) -> _Read:
        """Read the rows of changed customers again: what of them is no longer there has vanished."""
        again = self._reading.rows_with(self._thing.parent, self._parents)
        key = self._reading.query.key
        frame = pl.concat([changed, again]).unique(subset=[key], keep="last", maintain_order=True)
        visible = not frame.is_empty() or (bool(self._parents) and self._reading.shows_rows())
        scope = Scope(frame[key].to_list(), self._parents, visible=visible)
        return _Read("incremental", self._tabled(frame), nothing_deleted(), scope)

    def _tabled(self, frame: pl.DataFrame) -> pl.DataFrame:
        return with_tables(frame, self._reading, self._client)

    def _load(self, read: _Read, mark: Watermark | None) -> ExtractReport:
        clock = self._client.clock
        query = self._reading.declared
        batch = Batch(
            thing=self._thing,
            key=query.key,
            columns={column.name: column.comment for column in query.columns},
            frame=read.frame,
            deleted=read.deleted,
            scope=read.scope,
            description=query.statement.description,
        )
        with self._warehouse.writer() as con:
            self._nobody_else_wrote(con)
            counts = load(con, batch, self._settings.guard, now=clock.now(), run_id=self._run_id)
            if mark is not None:
                write_watermark(con, mark, clock.now())
        return self._report(read, counts)

    def _nobody_else_wrote(self, con: duckdb.DuckDBPyConnection) -> None:
        """A run that began earlier and ends later would put older rows over newer ones."""
        if read_watermark(con, self._thing.table) != self._mark:
            reason = "another run wrote this table meanwhile; run again"
            raise TransientError("netsuite", f"load {self._thing.name}", reason)

    def _report(self, read: _Read, counts: Counts) -> ExtractReport:
        return ExtractReport(
            thing=self._thing.name,
            mode=read.mode,
            read=read.frame.height,
            inserted=counts.inserted,
            updated=counts.updated,
            unchanged=counts.unchanged,
            moved=counts.moved,
            deleted=counts.deleted,
            seconds=round(perf_counter() - self._started, 3),
            calls=self._client.calls - self._calls,
            rows=counts.rows,
            warnings=tuple(self._reading.warnings),
        )

    def _changed_parents(self, con: duckdb.DuckDBPyConnection) -> list[str]:
        """Customers written since this thing was last read; whether their children moved is not told by NetSuite."""
        if not self._thing.parent or self._mark is None:
            return []
        found: set[str] = set()
        for table in THINGS["customers"].raw_tables:
            if has_table(con, table):
                query = f"select id from {quoted(table)} where _extracted_at >= ? and _deleted_at is null"
                found.update(row[0] for row in con.execute(query, [naive(self._mark.began_at)]).fetchall())
        return sorted(found, key=int)

    def _live(self, keys: Sequence[str] | None) -> set[str]:
        """Those of the keys that are in the pond and not deleted; all of them without keys."""
        key = quoted(self._reading.query.key)
        found: set[str] = set()
        with self._warehouse.writer(transaction=False) as con:
            for table in self._thing.raw_tables:
                if has_table(con, table):
                    query = f"select {key} from {quoted(table)} where _deleted_at is null"
                    found.update(row[0] for row in con.execute(query).fetchall())
        return found if keys is None else found & set(keys)


def extract(
    warehouse: Warehouse,
    client: NetSuiteClient,
    thing: str,
    settings: ExtractionSettings = DEFAULTS,
    *,
    run_id: str,
    full: bool = False,
) -> ExtractReport:
    """Bring the copies of one thing up to date.

    Args:
        warehouse: The pond.
        client: NetSuite.
        thing: A key of `THINGS`.
        settings: Custom columns, overlap, guard.
        run_id: Written beside each row.
        full: Read everything and compare, whatever the watermark says.

    Raises:
        IntegrationError: Nothing was changed; see `resources/errors.py` for what to do.
    """
    return Extraction(warehouse, client, thing, settings, run_id).run(full=full)


def reconcile(
    warehouse: Warehouse,
    client: NetSuiteClient,
    thing: str,
    settings: ExtractionSettings = DEFAULTS,
    *,
    run_id: str,
) -> ExtractReport:
    """Compare the ids of one thing with NetSuite's, heal what was missed, mark what is gone.

    Raises:
        ContractError: More rows vanished than the guard allows; nothing was changed.
    """
    return Extraction(warehouse, client, thing, settings, run_id).reconcile()
