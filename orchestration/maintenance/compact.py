"""Compact the warehouse: delete old history, and release its free space.

keep_days  ->  prune(), in one transaction  ->  Warehouse.compact()  ->  Compacted

Safe at any time: runs wait meanwhile, readers do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from assets.delivery.chain.rewrite import rewriting
from assets.delivery.ledger.events import Event, Happened
from assets.warehouse.retention import prune
from orchestration.ledger_sealing import keep_last, ledger_signer
from orchestration.maintenance.counted_from import counted_from
from resources.clock import Clock, WallClock, utc_now
from resources.warehouse.column_classes import CLASSES, ColumnClass
from resources.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Compacted:
    """Deleted rows by table, the warehouse's bytes before and after, and the time that days were counted from, UTC."""

    deleted: Mapping[str, int]
    before: int
    after: int
    counted_from: datetime


def compact_warehouse(
    warehouse: Warehouse, *, keep_days: int | Mapping[ColumnClass, int], clock: Clock | None = None
) -> Compacted:
    """Delete history that ended before `keep_days` (0: none), for all or by class of columns, and compact.

    Raises:
        ChainError: The ledger's chain cannot be continued; nothing is deleted.
        WarehouseError: The file cannot be written; it is unchanged.
    """
    deleted: Mapping[str, int] = {}
    days = dict.fromkeys(CLASSES, keep_days) if isinstance(keep_days, int) else keep_days
    start = counted_from(warehouse, utc_now(clock or WallClock()))
    cuts = {name: start - timedelta(days=each) for name, each in days.items() if each}
    if cuts:
        details = {"before": {name: str(cut) for name, cut in cuts.items()}}
        pruned = Event(event=Happened.PRUNED, at=utc_now(WallClock()), details=details)
        with warehouse.writer(tuned=True) as con, rewriting(con, ledger_signer(), pruned):
            deleted = prune(con, cuts)
        keep_last(warehouse)
    before, after = warehouse.compact()
    return Compacted(deleted, before, after, start)
