"""Keep the raw tables equal to NetSuite's: read what changed after the last run, or everything.

extract()           one record type
extract_selected()  some records of one record type
extract_all()       several record types at once, in `extract_all.py`
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from types import MappingProxyType

from assets.netsuite.extract.extraction import Extraction
from assets.netsuite.extract.known_state import read_known
from assets.netsuite.extract.metrics import ExtractionReport
from assets.netsuite.extract.settings import ExtractionSettings
from resources.netsuite.client import NetSuiteClient
from resources.warehouse.warehouse import Warehouse

LOCK_TIMEOUT_S = 3600.0
DEFAULTS = ExtractionSettings()
NONE_DELETED: Mapping[str, datetime] = MappingProxyType({})


def account_lock(warehouse: Warehouse) -> AbstractContextManager[object]:
    """Between machines, hold the account's lock: one read uses all the concurrency slots of the account."""
    return warehouse.lock("netsuite", LOCK_TIMEOUT_S) if warehouse.backend.is_shared else nullcontext()


def prepare(
    warehouse: Warehouse, client: NetSuiteClient, record_type: str, settings: ExtractionSettings, run_id: str
) -> Extraction:
    """Return the extraction of one record type, as the warehouse is now."""
    with warehouse.writer(transaction=False) as con:
        known = read_known(con, client, [record_type], settings)[record_type]
    return Extraction(warehouse, client, known, settings, run_id)


def extract(
    warehouse: Warehouse,
    client: NetSuiteClient,
    record_type: str,
    settings: ExtractionSettings = DEFAULTS,
    *,
    run_id: str,
    full: bool = False,
    reconcile: bool = False,
) -> ExtractionReport:
    """Bring the raw tables of one record type up to date.

    Args:
        warehouse: The warehouse.
        client: NetSuite.
        record_type: A key of `RECORD_TYPES`, or a type that is read on demand.
        settings: Custom columns, overlap, guard, schedules.
        run_id: Written with each row.
        full: Read and compare everything, whatever the watermark says.
        reconcile: Compare all ids with NetSuite's, even if that is not due.

    Raises:
        IntegrationError: Nothing was changed; see `resources/errors.py` for what to do.
    """
    with account_lock(warehouse):
        return prepare(warehouse, client, record_type, settings, run_id).run(full=full, reconcile=reconcile)


def extract_selected(
    warehouse: Warehouse,
    client: NetSuiteClient,
    record_type: str,
    ids: Sequence[str],
    settings: ExtractionSettings = DEFAULTS,
    *,
    run_id: str,
    reported_deleted: Mapping[str, datetime] = NONE_DELETED,
) -> set[str]:
    """Read some records again, whatever the watermark says; the watermark does not move.

    Args:
        warehouse: The warehouse.
        client: NetSuite.
        record_type: A key of `RECORD_TYPES`.
        ids: Keys of the records. For a type with parents, ids of the parents: all their children are read, and
            children that are missing have vanished.
        settings: Custom columns and guard.
        run_id: Written with each row.
        reported_deleted: Records reported as deleted, with the time; those that NetSuite still shows are kept.

    Returns:
        The keys that NetSuite showed.

    Raises:
        IntegrationError: Nothing was changed.
    """
    return prepare(warehouse, client, record_type, settings, run_id).run_selected(ids, reported_deleted)
