"""Keep the warehouse small: take out what ended long ago, then write it anew without the room that is free.

keep_days  ->  thin(), in one transaction  ->  Warehouse.compact()  ->  Compacted

Any job may call `compact_warehouse` at night: runs wait for their turn meanwhile, readers do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from rich.console import Console
from rich.table import Table

from assets.warehouse.retention import thin
from resources.clock import Clock, WallClock
from resources.warehouse.warehouse import Warehouse, WarehouseError


@dataclass(frozen=True)
class Compacted:
    """What was done: rows taken out by table, and the warehouse's bytes before and after."""

    gone: Mapping[str, int]
    before: int
    after: int


def compact_warehouse(warehouse: Warehouse, *, keep_days: int, clock: Clock | None = None) -> Compacted:
    """Thin and compact.

    Args:
        warehouse: The warehouse.
        keep_days: How long what ended is remembered; 0: for ever.
        clock: Whose days; the sandbox's time runs ahead of the wall's.

    Raises:
        WarehouseError: The file cannot be written; it is as it was before.
    """
    gone: Mapping[str, int] = {}
    if keep_days:
        cut = (clock or WallClock()).now().replace(tzinfo=None) - timedelta(days=keep_days)
        with warehouse.writer() as con:
            gone = thin(con, cut)
    before, after = warehouse.compact()
    return Compacted(gone, before, after)


def print_compacted(warehouse: Warehouse, keep_days: int, clock: Clock, console: Console) -> int:
    """Compact and print what came of it; returns the exit code."""
    try:
        if not warehouse.exists():
            console.print("nothing has been read yet: `millpond run all` first", style="red")
            return 2
        done = compact_warehouse(warehouse, keep_days=keep_days, clock=clock)
    except WarehouseError as error:
        console.print(f"✗ {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    table = Table("table", "rows taken out")
    for name, rows in done.gone.items():
        if rows:
            table.add_row(name, f"{rows:,}")
    if table.row_count:
        console.print(table)
    line = f"{done.before / 1e6:,.1f} MB before, {done.after / 1e6:,.1f} MB now"
    console.print(line, markup=False, highlight=False)
    return 0
