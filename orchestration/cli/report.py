"""`millpond report`: the HTML report of a run."""

from pathlib import Path

from assets.warehouse.run_report.page import KEPT_REPORTS, REPORTS, render, write_report
from orchestration.cli.facts import with_json
from orchestration.cli.output import NOTHING_READ, print_line, print_problems
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_of
from orchestration.run_report import run_report
from resources.atomic_file import write_atomically
from resources.warehouse.warehouse import WarehouseError


@with_json
def report(run: str = "", *, out: Path | None = None) -> int:
    """Write the HTML report of a run.

    Args:
        run: The run's id, or its first characters; the newest run when omitted.
        out: The file to write; in the warehouse's folder when omitted.
    """
    settings = MillpondSettings()
    warehouse = warehouse_of(settings)
    try:
        found = run_report(warehouse, settings, run) if warehouse.exists() else None
    except WarehouseError as error:
        print_problems([str(error)])
        return 1
    if found is None:
        print_problems(
            [f"no run id starts with {run!r}; `millpond report` reports the newest" if run else NOTHING_READ]
        )
        return 2
    if out:
        write_atomically(out, render(found), mode=0o600, durable=False)
    else:
        out = write_report(found, warehouse.folder / REPORTS, KEPT_REPORTS)
    print_line(str(out))
    return 0
