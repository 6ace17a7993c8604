"""Choose what of a record type to read: everything, changes, children of changed records, all ids.

SourceState (watermark, changed parents)  ->  Strategy.read()  ->  Extracted (spools, deletions, coverage)  ->  load
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

import polars as pl

from assets.netsuite.extract.deletions import DELETIONS, no_deletions, read_deletions
from assets.netsuite.extract.raw_queries import live_keys, missing_keys
from assets.netsuite.extract.reader import Reader
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.extract.spool import Spool
from assets.netsuite.extract.watermarks import Watermark
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.warehouse import Warehouse

MAX_PARENTS = 10_000  # if more parents changed, the children are read in full: fewer calls

# full_table: no timestamp to filter by; missing: the account lacks the table; selected: by id
Mode = Literal["full", "incremental", "full_table", "missing", "selected"]


@dataclass(frozen=True)
class Coverage:
    """The live rows that a read covered, so that those it did not find have vanished.

    Attributes:
        seen: Spools with the keys that NetSuite shows now.
        parents: Only rows of these parents were covered; None: every row.
        visible: NetSuite showed at least one row of the table.
    """

    seen: Sequence[Spool]
    parents: Sequence[str] | None
    visible: bool


@dataclass(frozen=True)
class Extracted:
    """The part of a table that was read from NetSuite.

    Attributes:
        mode: How it was read.
        spools: The rows; if a row is in several, the last one counts.
        deleted: Records that NetSuite reports as deleted: key, deleted_at (UTC, naive).
        coverage: Rows whose absence means deletion.
    """

    mode: Mode
    spools: Sequence[Spool]
    deleted: pl.DataFrame = field(default_factory=no_deletions)
    coverage: Coverage | None = None

    @property
    def is_complete(self) -> bool:
        """All ids were read, so that every other row has vanished."""
        return self.coverage is not None and self.coverage.parents is None

    @property
    def found_nothing(self) -> bool:
        """Only changes were read, and there were none."""
        return self.mode == "incremental" and not self.is_complete and not any(spool.rows for spool in self.spools)


@dataclass(frozen=True)
class SourceState:
    """The state of the warehouse before a read.

    Attributes:
        watermark: How far the table was read; None before its first load.
        changed_parents: Parents whose children may have changed.
        began_at: When this extraction began, by the warehouse's clock.
        deleted_from: Time from which deletions are queried, for all tables of a run.
    """

    watermark: Watermark | None
    changed_parents: Sequence[str]
    began_at: datetime
    deleted_from: str = ""


class Strategy:
    """Reads one record type once."""

    def __init__(
        self,
        warehouse: Warehouse,
        client: NetSuiteClient,
        reader: Reader,
        settings: ExtractionSettings,
        state: SourceState,
    ) -> None:
        self._warehouse, self._client, self._reader, self._settings = warehouse, client, reader, settings
        self._record_type, self._state = reader.record_type, state

    def read(self, *, full: bool, reconcile: bool) -> Extracted:
        """Read everything, or what changed after the watermark and, when due, all ids.

        Args:
            full: Read everything, whatever the watermark says.
            reconcile: Compare all ids even if that is not due.
        """
        extracted = self._read(full=full)
        if extracted.mode == "incremental" and (reconcile or self._reconciliation_is_due()):
            return self._compare_ids(extracted)
        return extracted

    def read_selected(self, ids: Sequence[str], reported_deleted: Mapping[str, datetime]) -> Extracted:
        """Read some records, or all children of some parents; see `extract_selected`."""
        parent = self._record_type.parent
        rows = self._reader.rows_with(parent or self._reader.query.key_expression, ids)
        if parent:
            visible = bool(rows.rows) or self._reader.shows_rows()
            return Extracted("selected", [rows], coverage=Coverage([rows], ids, visible=visible))
        deleted = pl.DataFrame(list(reported_deleted.items()), schema=DELETIONS, orient="row")
        return Extracted("selected", [rows], deleted)

    def _read(self, *, full: bool) -> Extracted:
        watermark, parents = self._state.watermark, self._state.changed_parents
        if not self._record_type.modified:
            return self._read_all("full_table")
        if full or watermark is None or len(parents) > MAX_PARENTS:
            return self._read_all("full")
        changed = self._read_changed(watermark)
        if self._reader.query.fingerprint != watermark.columns_hash:
            return self._read_all("full")
        if self._record_type.parent:
            return self._with_children(changed, parents)
        deleted = no_deletions()
        if self._record_type.deleted_types:
            shared_since = self._state.deleted_from
            deleted = read_deletions(self._client, self._reader, watermark.deleted_from, shared_since, self._live)
        return Extracted("incremental", [changed], deleted)

    def _read_all(self, mode: Literal["full", "full_table"]) -> Extracted:
        rows = self._reader.rows(many=mode == "full")
        return Extracted(mode, [rows], coverage=Coverage([rows], None, visible=bool(rows.rows)))

    def _read_changed(self, watermark: Watermark) -> Spool:
        since = watermark.changed_from(self._client.session_zone_offset, self._state.began_at)
        condition = f"{self._record_type.modified} >= to_timestamp(?, 'YYYY-MM-DD HH24:MI:SS')"
        return self._reader.rows([condition], [since])

    def _with_children(self, changed: Spool, parents: Sequence[str]) -> Extracted:
        """Add all rows of changed parents; rows of these parents that are not among them have vanished."""
        if not parents:
            return Extracted("incremental", [changed])
        children = self._reader.rows_with(self._record_type.parent, parents)
        visible = bool(changed.rows or children.rows) or self._reader.shows_rows()
        spools = [changed, children]
        return Extracted("incremental", spools, coverage=Coverage(spools, parents, visible=visible))

    def _reconciliation_is_due(self) -> bool:
        hours, watermark = self._settings.reconcile_hours, self._state.watermark
        if not hours or watermark is None:
            return False
        last = watermark.reconciled_at
        return last is None or not timedelta(0) <= self._state.began_at - last < timedelta(hours=hours)

    def _compare_ids(self, extracted: Extracted) -> Extracted:
        """Compare all ids with NetSuite's: read rows that were missed; rows that it no longer lists have vanished."""
        ids = self._reader.ids()
        with self._warehouse.writer(transaction=False) as con:
            missed = missing_keys(con, self._record_type, ids, extracted.spools)
        rows = self._reader.rows_with(self._reader.query.key_expression, missed)
        coverage = Coverage([ids, *extracted.spools], None, visible=bool(ids.rows))
        return replace(extracted, spools=[*extracted.spools, rows], coverage=coverage)

    def _live(self, keys: Sequence[str]) -> set[str]:
        with self._warehouse.writer(transaction=False) as con:
            return live_keys(con, self._record_type, keys)
