"""Write the report of a run: one HTML page."""

from pathlib import Path

from rich.console import Console

from assets.warehouse.run_report.page import render, write_report
from assets.warehouse.run_report.queries import gather
from assets.warehouse.snapshot import KEPT_REPORTS, REPORTS
from orchestration.settings import MillpondSettings
from orchestration.warehouse_access import warehouse_of
from resources.warehouse.warehouse import WarehouseError


def print_report(run: str, out: Path | None, console: Console) -> int:
    """Write the page and say where it is; returns the exit code."""
    settings = MillpondSettings()
    warehouse = warehouse_of(settings, personal=settings.personal)
    try:
        report = gather(warehouse, run, hides=warehouse.hides) if warehouse.exists() else None
    except WarehouseError as error:
        console.print(f"✗ {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    if report is None:
        text = f"no run begins with {run!r}" if run else "nothing has been run yet: `millpond run all` first"
        console.print(text, style="red", markup=False, highlight=False)
        return 2
    if out:
        out.write_text(render(report), encoding="utf-8")
        out.chmod(0o600)
    else:
        out = write_report(report, warehouse.folder / REPORTS, KEPT_REPORTS)
    console.print(str(out), markup=False, highlight=False, soft_wrap=True)
    return 0
