"""Decides what of one thing is read: everything, what changed, the children of changed customers, all ids.

Watermark, changed customers  ->  Gathering.gather()  ->  Gathered (spools, deletions, scope)  ->  load
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import polars as pl

from assets.netsuite.extract.deletions import nothing_deleted, read_deleted
from assets.netsuite.extract.load import Scope
from assets.netsuite.extract.raw_queries import live_keys, missed_keys
from assets.netsuite.extract.reader import Reading
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.extract.spool import Spool
from assets.netsuite.extract.watermarks import Watermark
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.warehouse import Warehouse

MANY_PARENTS = 10_000  # when more customers changed, their children are read whole: fewer calls

Mode = Literal["full", "incremental", "whole", "reconcile", "missing", "again"]


@dataclass(frozen=True)
class Gathered:
    """What came over the network.

    Attributes:
        mode: How it was read.
        spools: The rows; of a row that is in several the last one counts.
        deleted: Records that NetSuite calls deleted.
        scope: Where absence means deletion.
    """

    mode: Mode
    spools: Sequence[Spool]
    deleted: pl.DataFrame = field(default_factory=nothing_deleted)
    scope: Scope | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every row that is missing here has vanished."""
        return self.scope is not None and self.scope.parents is None

    @property
    def is_quiet(self) -> bool:
        """Whether nothing was asked for but changes, and there were none."""
        return self.mode == "incremental" and not self.is_whole and not any(spool.rows for spool in self.spools)


@dataclass(frozen=True)
class Known:
    """What the warehouse knows before anything is read.

    Attributes:
        mark: How far the table was read; None before its first load.
        parents: Customers whose children may have changed since.
        began_at: When this extraction began, by the warehouse's clock.
        deletes_since: From when on deletions are asked for, for all tables of a run.
    """

    mark: Watermark | None
    parents: Sequence[str]
    began_at: datetime
    deletes_since: str = ""


class Gathering:
    """One reading of one thing."""

    def __init__(
        self,
        warehouse: Warehouse,
        client: NetSuiteClient,
        reading: Reading,
        settings: ExtractionSettings,
        known: Known,
    ) -> None:
        self._warehouse, self._client, self._reading, self._settings = warehouse, client, reading, settings
        self._record_type = reading.record_type
        self._mark, self._parents, self._began_at = known.mark, known.parents, known.began_at
        self._deletes_since = known.deletes_since

    def gather(self, *, full: bool) -> Gathered:
        """Read everything, or what changed since the watermark and, when that is due, all ids.

        Args:
            full: Everything, whatever the watermark says.
        """
        return self._reconciled(self._gather(full=full))

    def _gather(self, *, full: bool) -> Gathered:
        if not self._record_type.modified:
            return self._read_all("whole")
        if full or self._mark is None or len(self._parents) > MANY_PARENTS:
            return self._read_all("full")
        changed = self._changed(self._mark)
        if self._reading.columns.fingerprint != self._mark.columns_hash:
            return self._read_all("full")
        if self._record_type.parent:
            return self._with_children(changed)
        deleted = nothing_deleted()
        if self._record_type.deleted_as:
            since = self._mark.deletes_literal
            deleted = read_deleted(self._client, self._reading, since, self._deletes_since, self._live)
        return Gathered("incremental", [changed], deleted)

    def _read_all(self, mode: Literal["full", "whole"]) -> Gathered:
        rows = self._reading.rows(many=mode == "full")
        return Gathered(mode, [rows], scope=Scope([rows], None, visible=bool(rows.rows)))

    def _changed(self, mark: Watermark) -> Spool:
        since = mark.literal(self._client.session_zone_offset, self._began_at)
        condition = f"{self._record_type.modified} >= to_timestamp(?, 'YYYY-MM-DD HH24:MI:SS')"
        return self._reading.rows([condition], [since])

    def _with_children(self, changed: Spool) -> Gathered:
        """Read the rows of changed customers again: what of them is no longer there has vanished."""
        if not self._parents:
            return Gathered("incremental", [changed])
        again = self._reading.rows_with(self._record_type.parent, self._parents)
        visible = bool(changed.rows or again.rows) or self._reading.shows_rows()
        return Gathered("incremental", [changed, again], scope=Scope([changed, again], self._parents, visible=visible))

    def _reconciled(self, read: Gathered) -> Gathered:
        """After an incremental reading: compare all ids when the last time is long ago."""
        hours = self._settings.reconcile_hours
        if read.mode != "incremental" or not hours or self._mark is None:
            return read
        last = self._mark.reconciled_at
        if last is not None and self._began_at - last < timedelta(hours=hours):
            return read
        return self.compared(read)

    def compared(self, read: Gathered) -> Gathered:
        """Compare all ids, after what was read: rows that were missed come too, rows that are gone have vanished."""
        ids = self._reading.ids()
        with self._warehouse.writer(transaction=False) as con:
            missed = missed_keys(con, self._record_type, self._reading.query.key, ids, read.spools)
        rows = self._reading.rows_with(self._reading.query.key_expression, missed)
        return Gathered(
            read.mode, [*read.spools, rows], read.deleted, Scope([ids, *read.spools], None, visible=bool(ids.rows))
        )

    def _live(self, keys: Sequence[str]) -> set[str]:
        with self._warehouse.writer(transaction=False) as con:
            return live_keys(con, self._record_type, keys)
