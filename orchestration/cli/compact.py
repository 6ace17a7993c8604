"""`millpond compact`: delete old history and shrink the warehouse."""

from datetime import timedelta

from assets.delivery.chain.checkpoints import ChainError
from orchestration.cli.facts import with_json
from orchestration.cli.output import NOTHING_READ, console, open_table, print_line, print_problems
from orchestration.configuration.settings import MillpondSettings
from orchestration.maintenance.compact import compact_warehouse
from orchestration.opened_warehouse import warehouse_clock, warehouse_of
from resources.clock import utc_now
from resources.warehouse.warehouse import WarehouseError


@with_json
def compact(*, keep_days: int | None = None) -> int:
    """Delete old history and shrink the warehouse.

    Args:
        keep_days: Days to keep ended history; MILLPOND_RETENTION and MILLPOND_KEEP_HISTORY_DAYS when
            omitted, 0 keeps everything.
    """
    settings = MillpondSettings()
    warehouse, days = warehouse_of(settings), settings.retention_days if keep_days is None else keep_days
    try:
        if not warehouse.exists():
            print_problems([NOTHING_READ])
            return 2
        clock = warehouse_clock(settings)
        done = compact_warehouse(warehouse, keep_days=days, clock=clock)
    except (WarehouseError, ChainError) as error:
        print_problems([str(error)])
        return 1
    table = open_table("table", "rows deleted", right={"rows deleted"})
    for name, rows in done.deleted.items():
        if rows:
            table.add_row(name, f"{rows:,}")
    if table.row_count:
        console.print(table)
    if utc_now(clock) - done.counted_from > timedelta(days=1):
        print_line(
            f"days are counted from NetSuite's time at the last reading, {done.counted_from:%Y-%m-%d %H:%M} UTC; this"
            f" machine's clock is later: {utc_now(clock):%Y-%m-%d %H:%M} UTC"
        )
    print_line(f"{done.before / 1e6:,.1f} MB before, {done.after / 1e6:,.1f} MB now")
    return 0
