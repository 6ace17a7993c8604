"""Keeps the warehouse's copies of NetSuite's tables: what changed since the last run, or everything.

sync_watermarks  ->  NetSuite (rows, deletions, children of changed customers)  ->  load  ->  raw_netsuite__*

The next watermark is NetSuite's time before the first query. There is no upper bound: a row that changes while it is
read comes now or next time. Rows, deletions and watermark are written in one transaction, after the network is done.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from time import perf_counter
from types import MappingProxyType

import duckdb
import polars as pl

from assets.netsuite.extract.capabilities import LIMITS, Probes
from assets.netsuite.extract.custom_field_types import held_columns, read_kinds, write_kinds
from assets.netsuite.extract.deletions import SCHEMA as DELETED_SCHEMA
from assets.netsuite.extract.found import Remembered
from assets.netsuite.extract.load import Batch, Counts, Scope, latest_stamp, load
from assets.netsuite.extract.metrics import ExtractReport, keep_read
from assets.netsuite.extract.raw_queries import changed_parents
from assets.netsuite.extract.reader import Reading
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.extract.spool import relation, scratch
from assets.netsuite.extract.strategy import Gathered, Gathering, Known
from assets.netsuite.extract.watermarks import (
    LOCAL_TIME_OVERLAP_S,
    Watermark,
    read_watermark,
    read_watermarks,
    write_watermark,
)
from assets.netsuite.record_types import RECORD_TYPES, RecordType, record_type_of
from resources.errors import TransientError
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.errors import MissingTableError
from resources.warehouse.backend import literal
from resources.warehouse.tables import quoted
from resources.warehouse.warehouse import Warehouse

__all__ = ["DEFAULTS", "ExtractReport", "Extraction", "ExtractionSettings", "extract", "reconcile"]

LEAST_MB, ROWS_PER_MB = 64, 4000  # of DuckDB's memory while loading
TURN_TIMEOUT_S = 3600.0
DEFAULTS = ExtractionSettings()
NOBODY: Mapping[str, datetime] = MappingProxyType({})


class Extraction:
    """One thing on its way from NetSuite into the warehouse."""

    def __init__(
        self, warehouse: Warehouse, client: NetSuiteClient, name: str, settings: ExtractionSettings, run_id: str
    ) -> None:
        self._started, self._calls, self._used_s = perf_counter(), client.calls, client.lanes.used_s
        self._began_at = client.clock.now()
        self._warehouse, self._client, self._settings, self._run_id = warehouse, client, settings, run_id
        self._record_type: RecordType = record_type_of(name)
        with warehouse.writer(transaction=False) as con:
            marks = read_watermarks(con)
            self._mark = marks.get(self._record_type.table)
            self._latest = latest_stamp(con, self._record_type.raw_tables)
            self._probes = Probes(con, self._began_at, settings.probe_hours)
            self._remembered = self._remember(con)
            known = self._mark if self._record_type.parent else None
            parents = changed_parents(con, RECORD_TYPES[self._record_type.of], known) if known else []
        with_deletions = [marks.get(each.table) for each in RECORD_TYPES.values() if each.deleted_as]
        since = self._mark.deletes_literal_with(with_deletions) if self._mark else ""
        self._known = Known(self._mark, parents, self._began_at, since)
        if self._probes.is_fresh(LIMITS):
            client.follow(self._probes.recall(LIMITS))

    def run(self, *, full: bool) -> ExtractReport:
        """Read and load.

        Raises:
            IntegrationError: Nothing was changed.
        """
        with scratch(self._warehouse.folder) as folder:
            reading = self._reading(folder)
            gathering = Gathering(self._warehouse, self._client, reading, self._settings, self._known)
            if full or self._mark is None:  # what the first page needs, at once: the smallest account allows it
                asks = [self._client.server_time, self._client.learn_limits, reading.columns.prepare]
                list(self._client.lanes.each(lambda ask: ask(), asks))
            watermark_at = self._client.server_time()
            try:
                read = gathering.gather(full=full)
            except MissingTableError as error:
                named = self._settings.optional_tables & {self._record_type.name, self._record_type.table}
                optional = named or self._record_type.optional
                if not optional or self._mark is not None:
                    raise
                reading.warn(f"{error.reason}; it is optional and stays empty")
                return self._load(reading, folder, Gathered("missing", []), None)
            zone = self._client.session_zone_offset if self._record_type.modified else None
            mark = Watermark(
                source_table=self._record_type.table,
                watermark_at=watermark_at,
                overlap_s=max(self._settings.overlap_s, LOCAL_TIME_OVERLAP_S if reading.columns.local_times else 0),
                columns_hash=reading.columns.fingerprint,
                zone_offset_s=None if zone is None else int(zone.total_seconds()),
                began_at=self._began_at,
                run_id=self._run_id,
                reconciled_at=self._began_at if read.is_whole else (self._mark.reconciled_at if self._mark else None),
            )
            if self._mark is not None and read.is_quiet:
                # a role that lost its rows sees nothing either: what it did not see is asked for again next time
                mark = replace(mark, watermark_at=self._mark.watermark_at, zone_offset_s=self._mark.zone_offset_s)
            return self._load(reading, folder, read, mark)

    def reconcile(self) -> ExtractReport:
        """Compare all ids: read rows that were missed, mark rows that are gone; the watermark stays.

        Raises:
            IntegrationError: Nothing was changed.
        """
        with scratch(self._warehouse.folder) as folder:
            reading = self._reading(folder)
            gathering = Gathering(self._warehouse, self._client, reading, self._settings, self._known)
            return self._load(reading, folder, gathering.compared(Gathered("reconcile", [])), None)

    def look_again(self, ids: Sequence[str], said_deleted: Mapping[str, datetime] = NOBODY) -> set[str]:
        """Read some records again, whatever the watermark says; it stays where it is.

        Args:
            ids: Keys of the records; where the thing has a parent, the parents' ids: all their children are read, and
                those that are missing have vanished.
            said_deleted: Of these somebody said that they are gone, and when; what NetSuite still shows is not.

        Returns:
            The keys that NetSuite showed.

        Raises:
            IntegrationError: Nothing was changed.
        """
        with scratch(self._warehouse.folder) as folder:
            reading = self._reading(folder)
            expression = self._record_type.parent or reading.query.key_expression
            rows = reading.rows_with(expression, ids)
            if self._record_type.parent:
                scope = Scope([rows], ids, visible=bool(rows.rows) or reading.shows_rows())
                read = Gathered("again", [rows], scope=scope)
            else:
                gone = pl.DataFrame(list(said_deleted.items()), schema=DELETED_SCHEMA, orient="row")
                read = Gathered("again", [rows], gone)
            self._load(reading, folder, read, None)
            if not rows.rows:
                return set()
            with duckdb.connect() as con:
                return {row[0] for row in con.execute(relation([rows], quoted(reading.query.key))).fetchall()}

    def _reading(self, folder: Path) -> Reading:
        custom = self._settings.custom_columns.get(self._record_type.name, ())
        return Reading(self._client, self._record_type, folder, custom, self._remembered)

    def _remember(self, con: duckdb.DuckDBPyConnection) -> Remembered:
        probe = f"columns {self._record_type.name}"
        found, is_fresh = self._probes.recall(probe), self._probes.is_fresh(probe)
        lost = held_columns(con, self._record_type, found["left_out"]) if found and is_fresh else frozenset()
        return Remembered(found, is_fresh, lost, read_kinds(con, self._record_type.name))

    def _load(self, reading: Reading, folder: Path, read: Gathered, mark: Watermark | None) -> ExtractReport:
        reading_s = perf_counter() - self._started
        clock = self._client.clock
        declared = reading.columns.declared
        batch = Batch(
            record_type=self._record_type,
            key=declared.key,
            columns={column.name: column.comment for column in declared.columns},
            spools=read.spools,
            deleted=read.deleted,
            scope=read.scope,
            description=declared.statement.description,
            began_after=self._latest,
        )
        self._note(reading)
        with self._warehouse.writer(tuned=True) as con:
            con.execute(f"set temp_directory = {literal(str(folder))}")  # first: the next line may need it
            con.execute(f"set memory_limit = '{self._memory_mb(read)}MB'")
            con.execute("set threads = 1")  # each thread keeps a row group of its own in memory
            con.execute("set preserve_insertion_order = false")  # rows stream through instead of waiting in memory
            if read.mode != "again":
                self._nobody_else_wrote(con)
            counts = load(con, batch, self._settings.guard, now=clock.now(), run_id=self._run_id)
            self._probes.write(con, clock.now(), self._run_id)
            write_kinds(con, self._record_type.name, reading.columns.kinds, clock.now(), self._run_id)
            if mark is not None:
                write_watermark(con, mark, clock.now())
            keep_read(
                con, self._run_id, self._record_type.name, read.mode, counts,
                calls=self._client.calls - self._calls, seconds=perf_counter() - self._started, now=clock.now(),
            )  # fmt: skip
        return self._report(reading, read, counts, reading_s)

    def _memory_mb(self, read: Gathered) -> int:
        """Little for few rows, so that memory follows the work."""
        rows = max((spool.rows for spool in (*read.spools, *(read.scope.seen if read.scope else ()))), default=0)
        wanted = min(self._settings.memory_mb, LEAST_MB + rows // ROWS_PER_MB)
        return max(wanted, self._warehouse.place.least_mb)

    def _note(self, reading: Reading) -> None:
        """Remember what was found out, and tell what is missing."""
        if reading.columns.settled:
            self._probes.remember(f"columns {self._record_type.name}", reading.columns.to_remember)
        if self._client.limits is not None:
            self._probes.remember(LIMITS, dict(self._client.limits))

    def _nobody_else_wrote(self, con: duckdb.DuckDBPyConnection) -> None:
        """A run that began earlier and ends later would put older rows over newer ones."""
        if read_watermark(con, self._record_type.table) != self._mark:
            reason = "another run wrote this table meanwhile; run again"
            raise TransientError("netsuite", f"load {self._record_type.name}", reason)

    def _report(self, reading: Reading, read: Gathered, counts: Counts, reading_s: float) -> ExtractReport:
        untold = sum(spool.untold for spool in read.spools)
        if untold:
            reading.warn(f"{untold} rows have no known stage and are taken for customers")
        used = (self._client.lanes.used_s - self._used_s) / (reading_s * self._client.lanes.most)
        return ExtractReport(
            record_type=self._record_type.name,
            mode=read.mode,
            read=counts.inserted + counts.updated + counts.unchanged,
            inserted=counts.inserted,
            updated=counts.updated,
            unchanged=counts.unchanged,
            moved=counts.moved,
            deleted=counts.deleted,
            seconds=round(perf_counter() - self._started, 3),
            calls=self._client.calls - self._calls,
            rows=counts.rows,
            warnings=tuple(reading.warnings),
            reconciled=read.is_whole,
            lanes_used=round(used, 3),
        )


def extract(
    warehouse: Warehouse,
    client: NetSuiteClient,
    record_type: str,
    settings: ExtractionSettings = DEFAULTS,
    *,
    run_id: str,
    full: bool = False,
) -> ExtractReport:
    """Bring the copies of one thing up to date.

    Args:
        warehouse: The warehouse.
        client: NetSuite.
        thing: A key of `THINGS`, or a type of custom record.
        settings: Custom columns, overlap, guard, schedules.
        run_id: Written beside each row.
        full: Read everything and compare, whatever the watermark says.

    Raises:
        IntegrationError: Nothing was changed; see `resources/errors.py` for what to do.
    """
    with _turn(warehouse):
        return Extraction(warehouse, client, record_type, settings, run_id).run(full=full)


def _turn(warehouse: Warehouse) -> AbstractContextManager[object]:
    """An account grants so many calls side by side, and one reading uses them all; machines take turns at it."""
    return warehouse.turn("netsuite", TURN_TIMEOUT_S) if warehouse.place.is_shared else nullcontext()


def reconcile(
    warehouse: Warehouse,
    client: NetSuiteClient,
    record_type: str,
    settings: ExtractionSettings = DEFAULTS,
    *,
    run_id: str,
) -> ExtractReport:
    """Compare the ids of one thing with NetSuite's, heal what was missed, mark what is gone.

    Raises:
        ContractError: More rows vanished than the guard allows; nothing was changed.
    """
    return Extraction(warehouse, client, record_type, settings, run_id).reconcile()


def look_again(
    warehouse: Warehouse,
    client: NetSuiteClient,
    record_type: str,
    ids: Sequence[str],
    settings: ExtractionSettings = DEFAULTS,
    *,
    run_id: str,
    said_deleted: Mapping[str, datetime] = NOBODY,
) -> set[str]:
    """Read some records of one thing again; see `Extraction.look_again`.

    Raises:
        IntegrationError: Nothing was changed.
    """
    return Extraction(warehouse, client, record_type, settings, run_id).look_again(ids, said_deleted)
