"""Choose what of a record type to read: everything, changes, children of changed records, all ids.

SourceState (watermark, changed parents)  ->  Strategy.read()  ->  Extracted (spools, deletions, coverage)  ->  load
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

import polars as pl

from assets.netsuite.extract.deletions import NOTIFIED, PARENT, deletions, read_deletions, read_notes
from assets.netsuite.extract.raw_queries import live_keys, missing_keys, vanished_rows
from assets.netsuite.extract.reader import Reader
from assets.netsuite.extract.readings import oldest_ranges, share_of
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.extract.source_state import Follow, SourceState
from assets.netsuite.extract.spool import Spool
from assets.netsuite.extract.undated import has_undated, no_date
from assets.netsuite.extract.watermarks import Watermark
from assets.netsuite.record_types import record_type_of
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.pages import PAGE
from resources.warehouse.warehouse import Warehouse

MAX_PARENTS = 10_000  # if more parents changed, the children are read in full: fewer calls

# full_table: no timestamp to filter by; missing: the account lacks the table; selected: by id
Mode = Literal["full", "incremental", "full_table", "missing", "selected"]


@dataclass(frozen=True)
class Coverage:
    """The live rows that a read covered, so that those it did not find have vanished: absent, unless more is known.

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
        spools: The rows; if a row is in several, the last one counts.
        deleted: Records of which NetSuite says that they are deleted: DELETIONS, with the evidence.
        coverage: Rows whose absence is noticed.
        verified: Rows that were read again although nothing reported a change.
        unreadable: Number of rows that NetSuite lists and cannot show.
    """

    mode: Mode
    spools: Sequence[Spool]
    deleted: pl.DataFrame = field(default_factory=deletions)
    coverage: Coverage | None = None
    verified: int = 0
    unreadable: int = 0

    @property
    def is_complete(self) -> bool:
        """All ids were read, so that every other row has vanished, and all of their rows."""
        return self.coverage is not None and self.coverage.parents is None and not self.unreadable

    @property
    def found_nothing(self) -> bool:
        """Only changes were read, and there were none."""
        return self.mode == "incremental" and not self.is_complete and not any(spool.rows for spool in self.spools)


class Strategy:
    """Reads one record type once."""

    def __init__(
        self,
        warehouse: Warehouse,
        client: NetSuiteClient,
        reader: Reader,
        settings: ExtractionSettings,
        state: SourceState,
        follow: Follow,
    ) -> None:
        self._follow = follow
        self._warehouse, self._client, self._reader, self._settings = warehouse, client, reader, settings
        self._record_type, self._state = reader.record_type, state

    def read(self, *, full: bool, reconcile: bool) -> Extracted:
        """Read everything, or what changed after the watermark and, when due or with `reconcile`, compare all ids."""
        extracted = self._read(full=full)
        if extracted.mode == "incremental":
            if self._state.outdated:
                extracted = self._add(extracted, self._reader.rows_with(self._key, self._state.outdated))
            extracted = self._with_undated(extracted)
            if reconcile or self._reconciliation_is_due():
                extracted = self._compare_ids(extracted)
        return self._with_evidence(self._with_unreadable(extracted))

    def _with_unreadable(self, extracted: Extracted) -> Extracted:
        """Let the rows that NetSuite cannot show count as seen: they have not vanished."""
        unreadable, coverage = self._reader.unreadable, extracted.coverage
        if not unreadable:
            return extracted
        if coverage is not None:
            coverage = replace(coverage, seen=[*coverage.seen, self._reader.unreadable_keys()])
        return replace(extracted, coverage=coverage, unreadable=len(unreadable))

    def read_selected(self, ids: Sequence[str], reported_deleted: Mapping[str, datetime]) -> Extracted:
        """Read some records, or all children of some parents; see `extract_selected`."""
        parent = self._record_type.parent
        rows = self._reader.rows_with(parent or self._reader.query.key_expression, ids)
        if parent:
            visible = bool(rows.rows) or self._reader.shows_rows()
            return self._with_evidence(Extracted("selected", [rows], coverage=Coverage([rows], ids, visible=visible)))
        kept = self._reader.unreadable  # NetSuite still shows their ids
        deleted = deletions([(key, at, NOTIFIED) for key, at in reported_deleted.items() if key not in kept])
        return Extracted("selected", [rows], deleted)

    def _read(self, *, full: bool) -> Extracted:
        watermark, parents = self._state.watermark, self._state.changed_parents
        if not self._record_type.modified:
            return self._read_all("full_table")
        if full or watermark is None or len(parents) > MAX_PARENTS:
            return self._read_all_after_parents()
        changed = self._read_changed(watermark)
        self._state = self._follow(has_read=changed.rows > 0)
        parents = self._state.changed_parents
        if self._reader.columns.fingerprint != watermark.columns_hash or len(parents) > MAX_PARENTS:
            return self._read_all_after_parents()
        if self._record_type.parent:
            return self._with_children(changed, parents)
        deleted = deletions()
        if self._record_type.deleted_types:
            shared_since = self._state.deleted_from
            deleted = read_deletions(self._client, self._reader, watermark.deleted_from, shared_since, self._live)
        return self._with_absent(Extracted("incremental", [changed], deleted))

    def _with_absent(self, extracted: Extracted) -> Extracted:
        """Look for the absent records again: a role that sees them again shows no change of them."""
        absent = self._state.absent
        if not absent:
            return extracted
        rows = self._reader.rows_with(self._key, sorted(absent, key=int))
        return self._noted(replace(extracted, spools=[*extracted.spools, rows]), absent)

    def _with_evidence(self, extracted: Extracted) -> Extracted:
        """Look for evidence that the rows which vanished were deleted; a row without any is only absent."""
        coverage = extracted.coverage
        if coverage is None or not coverage.visible:  # the load stops if the role sees nothing
            return extracted
        with self._warehouse.writer(transaction=False) as con:
            vanished = vanished_rows(con, self._record_type, coverage.seen, coverage.parents)
        if not self._record_type.parent:
            noted = set(extracted.deleted["key"])
            return self._noted(extracted, {key: at for key, _, at in vanished if key not in noted})
        # a row is gone if its parent was read without it; if the parent is not shown either, the role may not see it
        parents = sorted({parent for _, parent, _ in vanished if parent and parent.isdecimal()}, key=int)
        shown = self._reader.existing_of(record_type_of(self._record_type.parent_type), parents) if parents else set()
        gone = [(key, None, PARENT) for key, parent, _ in vanished if parent in shown]
        return replace(extracted, deleted=pl.concat([extracted.deleted, deletions(gone)]))

    def _noted(self, extracted: Extracted, written: Mapping[str, datetime]) -> Extracted:
        """Add the deletion notes of records that NetSuite no longer shows."""
        notes = read_notes(self._client, self._reader, written)
        return replace(extracted, deleted=pl.concat([extracted.deleted, notes]))

    def _read_all_after_parents(self) -> Extracted:
        """Read everything; children after their parents, so that the next run knows which parents are newer."""
        if self._record_type.parent:
            self._state = self._follow(has_read=False)
        return self._read_all("full")

    def _read_all(self, mode: Literal["full", "full_table"]) -> Extracted:
        rows = self._reader.rows(many=mode == "full")
        return Extracted(mode, [rows], coverage=Coverage([rows], None, visible=bool(rows.rows)))

    def _read_changed(self, watermark: Watermark) -> Spool:
        since = watermark.changed_from(self._client.session_zone_offset, self._state.began_at)
        condition = f"{self._record_type.modified} >= to_timestamp(?, 'YYYY-MM-DD HH24:MI:SS')"
        return self._reader.rows([condition], [since])

    def _with_undated(self, extracted: Extracted) -> Extracted:
        """Add the rows without a date of change, unless the warehouse knows too many."""
        few = self._state.undated <= self._settings.undated_rows
        if not few or not has_undated(self._client, self._record_type, self._settings):
            return extracted
        return self._add(extracted, self._reader.rows([no_date(self._record_type)]))

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
        rows = self._reader.rows_with(self._key, missed)
        coverage = Coverage([ids, *extracted.spools], None, visible=bool(ids.rows))
        found = replace(extracted, spools=[*extracted.spools, rows], coverage=coverage)
        return self._with_oldest(found, ids) if self._settings.verify_days else found

    def _with_oldest(self, extracted: Extracted, listed: Spool) -> Extracted:
        """Add a share of the rows, read by value, those first whose values were read longest ago."""
        days, calls = self._settings.verify_days, self._settings.verify_calls
        last = self._state.watermark.reconciled_at if self._state.watermark else None
        elapsed = (self._state.began_at - last) / timedelta(days=1) if last else 0
        share = share_of(listed.rows, days, elapsed)
        with self._warehouse.writer(transaction=False) as con:
            ranges = oldest_ranges(con, self._record_type, listed, share, calls)
        if share > calls * PAGE:
            self._reader.warn(
                f"MILLPOND_VERIFY_CALLS={calls} is too little to read the values of {listed.rows} rows again within"
                f" {days:g} days (MILLPOND_VERIFY_DAYS): {share} rows are due; raise one of them"
            )
        rows = self._reader.rows_in([(each.after, each.last) for each in ranges]) if ranges else None
        return self._add(extracted, rows) if rows else extracted

    @staticmethod
    def _add(extracted: Extracted, rows: Spool) -> Extracted:
        """Add rows that were read although nothing reported a change."""
        return replace(extracted, spools=[*extracted.spools, rows], verified=extracted.verified + rows.rows)

    @property
    def _key(self) -> str:
        return self._reader.query.key_expression

    def _live(self, keys: Sequence[str]) -> set[str]:
        with self._warehouse.writer(transaction=False) as con:
            return live_keys(con, self._record_type, keys)
