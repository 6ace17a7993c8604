"""One extraction of one record type: what the warehouse knows, what to read, what was read, loaded in one transaction.

sync_watermarks  ->  Extraction(known)  ->  .run(): NetSuite (rows, deletions, children of changed records)  ->  load

The next watermark is NetSuite's time before the first query. There is no upper bound: a row that changes during the
read arrives now or next time. Rows, deletions and watermark are written in one transaction, after the last call.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import duckdb

from assets.netsuite.extract.capabilities import LIMITS
from assets.netsuite.extract.custom_field_types import write_field_types
from assets.netsuite.extract.deletions import warn_of_absent
from assets.netsuite.extract.forgotten import warn_of_returned
from assets.netsuite.extract.known_state import Known, follow_parents
from assets.netsuite.extract.load import LoadCounts, RawBatch, load
from assets.netsuite.extract.metrics import (
    ExtractionReport,
    StoredTable,
    record_read,
    stored_tables,
    unreported_warning,
)
from assets.netsuite.extract.reader import Reader
from assets.netsuite.extract.reading_log import Reading, last_reading
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.extract.source_state import SourceState
from assets.netsuite.extract.spool import spool_query
from assets.netsuite.extract.strategy import Extracted, Strategy
from assets.netsuite.extract.undated import warn_of_undated
from assets.netsuite.extract.watermarks import (
    LOCAL_TIME_OVERLAP_S,
    Watermark,
    naive_utc,
    read_watermarks,
    write_watermark,
)
from resources.errors import TransientError
from resources.json_body import named
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.errors import MissingTableError
from resources.scratch import scratch
from resources.warehouse.bindings import NETSUITE, bind
from resources.warehouse.connection import connect
from resources.warehouse.tables import quoted
from resources.warehouse.warehouse import Warehouse

MIN_MEMORY_MB, ROWS_PER_MB, MB_PER_MB = 64, 4000, 4  # of DuckDB's memory during a load, by rows and by megabytes read
FEW_ROWS, FEW_BYTES = 5000, 4 * 1024 * 1024  # of which a load fits into memory as it is
BEFORE_ALL_CHANGES = datetime(1970, 1, 2, tzinfo=UTC)
REPAIRED = "values that are not valid text: invalid characters were read as U+FFFD; correct them in NetSuite"


class Extraction:
    """One extraction of one record type."""

    def __init__(
        self,
        warehouse: Warehouse,
        client: NetSuiteClient,
        known: Known,
        settings: ExtractionSettings,
        run_id: str,
        wait: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare one extraction.

        Args:
            warehouse: The warehouse.
            client: NetSuite.
            known: What the warehouse knows of the record type.
            settings: Custom columns, overlap, guard, schedules.
            run_id: Written with each row.
            wait: Waits for the record types that this one follows, and returns whether there are any; it raises if one
                of them failed.
        """
        self._started, self._calls, self._used_s = perf_counter(), client.calls, client.concurrency.used_s
        self._warehouse, self._client, self._settings, self._run_id = warehouse, client, settings, run_id
        self._known, self._record_type, self._wait = known, known.record_type, wait
        self._state, self._watermark = known.state, known.state.watermark
        self._watermark_at: datetime | None = None  # NetSuite's time before the first query

    def run(self, *, full: bool, reconcile: bool = False) -> ExtractionReport:
        """Read and load; see `extract`."""
        with scratch(self._warehouse.folder, "netsuite") as folder:
            reader = self._reader(folder)
            if full or self._watermark is None:  # in parallel, what the first page needs: even small accounts allow it
                prefetches = [self._client.server_time, self._client.learn_limits, reader.columns.prefetch]
                list(self._client.concurrency.map_unordered(lambda prefetch: prefetch(), prefetches))
            self._watermark_at = watermark_at = self._client.server_time()
            try:
                extracted = self._strategy(reader).read(full=full, reconcile=reconcile)
                self._wait()  # not loaded before what it belongs to
            except MissingTableError as error:
                optional = self._settings.optional_tables & {self._record_type.name, self._record_type.table}
                if self._watermark is not None or not (optional or self._record_type.optional):
                    raise  # a table that was loaded before cannot be missing
                reader.warn(f"{error.reason}; the table is optional and stays empty")
                return self._load(reader, Extracted("missing", []), None)
            return self._load(reader, extracted, self._next_watermark(reader, extracted, watermark_at))

    def _next_watermark(self, reader: Reader, extracted: Extracted, watermark_at: datetime) -> Watermark:
        zone = self._client.session_zone_offset if self._record_type.modified else None
        before, began_at = self._watermark, self._state.began_at
        watermark = Watermark(
            source_table=self._record_type.table,
            watermark_at=watermark_at,
            overlap_s=max(self._settings.overlap_s, LOCAL_TIME_OVERLAP_S if reader.columns.local_times else 0),
            columns_hash=reader.columns.fingerprint,
            zone_offset_s=None if zone is None else int(zone.total_seconds()),
            began_at=began_at,
            run_id=self._run_id,
            reconciled_at=began_at if extracted.is_complete else (before.reconciled_at if before else None),
        )
        if extracted.unreadable:  # the next run reads this time range again, after a first load everything
            listed = extracted.coverage is not None and extracted.coverage.parents is None
            earlier = before or replace(watermark, watermark_at=BEFORE_ALL_CHANGES)
            return replace(earlier, reconciled_at=began_at) if listed else earlier
        if before is not None and extracted.found_nothing:
            # a role that lost its rows sees no changes either, so the next run reads this time range again
            return replace(watermark, watermark_at=before.watermark_at, zone_offset_s=before.zone_offset_s)
        return watermark

    def run_selected(self, ids: Sequence[str], reported_deleted: Mapping[str, datetime]) -> set[str]:
        """Read and load some records; see `extract_selected`."""
        with scratch(self._warehouse.folder, "netsuite") as folder:
            reader = self._reader(folder)
            extracted = self._strategy(reader).read_selected(ids, reported_deleted)
            self._load(reader, extracted, None)
            spools = [spool for spool in extracted.spools if spool.rows]
            if not spools:
                return set()
            with connect() as con:
                return {row[0] for row in con.execute(spool_query(spools, quoted(reader.query.key))).fetchall()}

    def _strategy(self, reader: Reader) -> Strategy:
        return Strategy(self._warehouse, self._client, reader, self._settings, self._state, self._follow)

    def _follow(self, *, has_read: bool) -> SourceState:
        """Wait for the record types that this one follows, and return the state with what they changed."""
        if self._wait():
            with self._warehouse.writer(transaction=False) as con:
                now = self._client.clock.now()
                self._state = follow_parents(
                    con, self._record_type, self._state, now, self._settings, has_read=has_read
                )
        return self._state

    def _reader(self, folder: Path) -> Reader:
        custom = self._settings.custom_columns.get(self._record_type.name, ())
        return Reader(self._client, self._record_type, folder, custom, self._known.columns)

    def _load(self, reader: Reader, extracted: Extracted, watermark: Watermark | None) -> ExtractionReport:
        read_s, name, clock = perf_counter() - self._started, self._record_type.name, self._client.clock
        self._record_capabilities(reader)
        is_large = self._rows(extracted) > FEW_ROWS or self._bytes(extracted) > FEW_BYTES
        with self._warehouse.writer(tuned=is_large) as con:
            if is_large:
                con.execute(f"set memory_limit = '{self._memory_mb(extracted)}MB'")
                con.execute("set threads = 1")  # each thread keeps a row group of its own in memory
                con.execute("set preserve_insertion_order = false")  # rows stream instead of waiting in memory
            if extracted.mode != "selected":
                self._ensure_not_overtaken(con)
            reading = self._reading(con)
            batch = RawBatch(
                self._record_type,
                reader.columns.declared,
                extracted,
                self._known.read_after,
                reading.number,
                self._watermark.reported_from(reader.columns.fingerprint) if self._watermark else "",
            )
            counts = load(con, batch, self._settings, now=clock.now(), run_id=self._run_id)
            bind(con, NETSUITE, self._client.account, clock.now().replace(tzinfo=None), self._run_id)
            self._known.capabilities.save(con, clock.now(), self._run_id)
            write_field_types(con, name, reader.columns.field_types, clock.now(), self._run_id)
            if watermark is not None:
                write_watermark(con, watermark, clock.now())
            if counts.unreported:
                reader.warn(unreported_warning(con, counts.unreported))
            warn_of_absent(con, reader)
            warn_of_undated(con, reader, self._settings)
            warn_of_returned(con, reader, naive_utc(clock.now()))
            stored = stored_tables(con, self._record_type.raw_tables)
            report = self._report(reader, extracted, counts, stored, read_s)
            record_read(con, self._run_id, report, reading)
        return report

    def _reading(self, con: duckdb.DuckDBPyConnection) -> Reading:
        """Return this reading; without NetSuite's time of its own it is at least as late as those before it began."""
        before, now = self._state.reading, naive_utc(self._client.clock.now())
        netsuite_at = naive_utc(self._watermark_at) if self._watermark_at else before.netsuite_at
        return Reading(last_reading(con).number + 1, before.number, netsuite_at, now)

    def _memory_mb(self, extracted: Extracted) -> int:
        """Return the memory limit of the load; it grows with the number of rows and their size."""
        megabytes = self._bytes(extracted) // 2**20
        needed = MIN_MEMORY_MB + self._rows(extracted) // ROWS_PER_MB + megabytes * MB_PER_MB
        limit = min(self._settings.memory_mb, needed)
        return max(limit, self._warehouse.backend.min_memory_mb)

    @staticmethod
    def _rows(extracted: Extracted) -> int:
        seen = extracted.coverage.seen if extracted.coverage else ()
        return max((spool.rows for spool in (*extracted.spools, *seen)), default=0)

    @staticmethod
    def _bytes(extracted: Extracted) -> int:
        return sum(spool.bytes for spool in extracted.spools)

    def _record_capabilities(self, reader: Reader) -> None:
        if reader.columns.is_final:
            self._known.capabilities.record(self._known.findings_key, asdict(reader.columns.findings))
        if self._client.limits is not None:
            self._known.capabilities.record(LIMITS, dict(self._client.limits))

    def _ensure_not_overtaken(self, con: duckdb.DuckDBPyConnection) -> None:
        """Raise if another run has loaded the table during this read: our rows may be older than its rows."""
        if read_watermarks(con).get(self._record_type.table) != self._watermark:
            reason = "another run wrote this table during this read; run again"
            raise TransientError("netsuite", f"load {self._record_type.name}", reason)

    def _report(
        self, reader: Reader, extracted: Extracted, counts: LoadCounts, stored: Mapping[str, StoredTable], read_s: float
    ) -> ExtractionReport:
        unrouted = sum(spool.unrouted for spool in extracted.spools)
        if unrouted:
            reader.warn(f"{unrouted} rows have no known stage; their status decides, and rows without one are held")
        if repaired := {each for spool in extracted.spools for each in spool.repaired}:
            reader.warn(f"{REPAIRED}: {named(repaired)}")
        if left_out := sorted({each for spool in extracted.spools for each in spool.left_out}):
            reader.warn(f"columns that were not asked for, left out: {', '.join(left_out)}")
        limit = self._client.concurrency
        return ExtractionReport(
            **vars(counts),
            record_type=self._record_type.name,
            mode=extracted.mode,
            seconds=round(perf_counter() - self._started, 3),
            calls=self._client.calls - self._calls,
            warnings=tuple(reader.warnings),
            reconciled=extracted.is_complete,
            verified=extracted.verified,
            slot_utilization=round((limit.used_s - self._used_s) / (read_s * limit.maximum), 3),
            stored=stored,
        )
