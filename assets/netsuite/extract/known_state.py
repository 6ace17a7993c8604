"""The state of a record type in the warehouse before it is read: watermark, columns, and what its parents changed.

read_known(con, record types)  ->  Known of each  ->  (the parents are loaded)  ->  follow_parents()
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb

from assets.netsuite.extract.capabilities import LIMITS, Capabilities, KnownColumns
from assets.netsuite.extract.custom_field_types import columns_with_values, read_field_types
from assets.netsuite.extract.raw_queries import absent_keys, changed_parents, latest_extracted_at
from assets.netsuite.extract.reading_log import last_reading
from assets.netsuite.extract.readings import rows_of_deleted
from assets.netsuite.extract.settings import ExtractionSettings
from assets.netsuite.extract.source_state import SourceState
from assets.netsuite.extract.undated import undated_keys
from assets.netsuite.extract.watermarks import Watermark, read_watermarks
from assets.netsuite.record_types import RECORD_TYPES, RecordType, record_type_of
from resources.errors import ContractError
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.bindings import NETSUITE, find_conflict


@dataclass(frozen=True)
class Known:
    """The state of one record type in the warehouse.

    Attributes:
        capabilities: Answers of earlier runs about the account.
        columns: The columns that the account is known to have.
        read_after: When the newest rows were written; None without rows.
        state: Watermark and what else decides what to read.
    """

    record_type: RecordType
    capabilities: Capabilities
    columns: KnownColumns
    read_after: datetime | None
    state: SourceState

    @property
    def findings_key(self) -> str:
        """Name of the capability with the findings about its columns."""
        return _findings_key(self.record_type)


def read_known(
    con: duckdb.DuckDBPyConnection, client: NetSuiteClient, names: Iterable[str], settings: ExtractionSettings
) -> dict[str, Known]:
    """Return what the warehouse knows of record types, by name; the client obeys the limits that are known.

    Raises:
        ContractError: The warehouse belongs to another account.
    """
    now, record_types = client.clock.now(), [record_type_of(name) for name in names]
    conflict = find_conflict(con, NETSUITE, client.account)
    if conflict:
        raise ContractError("netsuite", f"read {record_types[0].name}", conflict)
    found = {}
    for record_type in record_types:
        capabilities = Capabilities(con, now, settings.capability_hours)
        found[record_type.name] = Known(
            record_type,
            capabilities,
            _known_columns(con, record_type, capabilities),
            latest_extracted_at(con, record_type),
            _read_state(con, record_type, now, settings),
        )
    capabilities = next(iter(found.values())).capabilities
    if capabilities.is_fresh(LIMITS):
        client.apply_limits(capabilities.get(LIMITS))
    return found


def _findings_key(record_type: RecordType) -> str:
    return f"columns {record_type.name}"


def _known_columns(con: duckdb.DuckDBPyConnection, record_type: RecordType, capabilities: Capabilities) -> KnownColumns:
    name = _findings_key(record_type)
    findings, is_fresh = capabilities.get(name), capabilities.is_fresh(name)
    missing = findings.get("missing", []) if findings and is_fresh else []
    outdated = columns_with_values(con, record_type, missing)
    return KnownColumns(findings, is_fresh, outdated, read_field_types(con, record_type.name))


def _read_state(
    con: duckdb.DuckDBPyConnection, record_type: RecordType, now: datetime, settings: ExtractionSettings
) -> SourceState:
    watermarks = read_watermarks(con)
    watermark = watermarks.get(record_type.table)
    if watermark is None:
        return SourceState(watermark, [], now, reading=last_reading(con))
    with_deletions = [
        watermarks.get(each.table) for each in RECORD_TYPES.values() if each.modified and each.deleted_types
    ]
    state = SourceState(
        watermark,
        [],
        now,
        deleted_from=watermark.shared_deleted_from(with_deletions),
        undated=len(undated_keys(con, record_type)),
        absent=absent_keys(con, record_type) if record_type.modified and not record_type.parent else {},
    )
    return follow_parents(con, record_type, state, now, settings, has_read=False)


def follow_parents(
    con: duckdb.DuckDBPyConnection,
    record_type: RecordType,
    state: SourceState,
    now: datetime,
    settings: ExtractionSettings,
    *,
    has_read: bool,
) -> SourceState:
    """Return the state of a read that goes on now, after the records to which its rows belong were loaded.

    Args:
        con: The warehouse.
        record_type: The record type.
        state: Its state until now.
        now: The time before this look; what is written to the parents later is for the next run.
        settings: How many parents without a date count as changed.
        has_read: Rows were read before; they count as older than what the parents' loads found.
    """
    watermark = state.watermark
    if watermark is None:
        return replace(state, began_at=now)
    parent_type = RECORD_TYPES[record_type.parent_type]
    return replace(
        state,
        began_at=now,
        changed_parents=_changed_parents(con, parent_type, watermark, settings) if record_type.parent else [],
        outdated=rows_of_deleted(con, record_type),
        reading=state.reading if has_read else last_reading(con),
    )


def _changed_parents(
    con: duckdb.DuckDBPyConnection, parent_type: RecordType, watermark: Watermark, settings: ExtractionSettings
) -> list[str]:
    """Return the parents whose rows may have changed; NetSuite reports that by their date, so also those without."""
    undated = undated_keys(con, parent_type)
    changed = {*changed_parents(con, parent_type, watermark)}
    return sorted(changed.union(undated if len(undated) <= settings.undated_rows else ()), key=int)
