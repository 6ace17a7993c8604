"""`millpond demo`: a tour on a sandbox.

a file of companies or the generator  ->  sandbox  ->  job `all`  ->  summary and suggestions  ->  Dagster UI
"""

import os
import sys
from pathlib import Path
from time import monotonic

from orchestration.cli.exit_codes import CLEAN, HELD_BACK
from orchestration.cli.output import console, print_line
from orchestration.cli.run import run_job
from orchestration.cli.start import announce
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_of
from orchestration.upgrade.ensure import ensure_current
from orchestration.web.serve_ui import serve_ui
from resources.sandbox.generator.seed import seed as fill
from resources.sandbox.sandbox import Sandbox


def demo(*, customers: int = 5000, companies: Path | None = None, seed: int = 1) -> int:
    """Fill a sandbox, run everything, and open the UI.

    Args:
        customers: Number of NetSuite customers, leads and prospects together. DEMO_UI=0 and CI leave the UI out.
        companies: CSV of companies, plain or .gz; further companies are generated.
        seed: The same seed generates the same records.
    """
    os.environ.setdefault("MILLPOND_HOME", str(Path(".millpond/demo").absolute()))
    os.environ["MILLPOND_MODE"] = "sandbox"
    settings, began = MillpondSettings(), monotonic()
    announce(settings)
    ensure_current(print_line)
    _fill(settings, customers, companies, seed)
    code = run_job("all")
    print_line(f"done in {monotonic() - began:.0f} s")
    if code not in {CLEAN, HELD_BACK}:  # some of the sandbox's records cannot be sent, as in a real account
        return code
    _print_suggestions(settings)
    return CLEAN if _is_headless() else serve_ui(console, 3000)


def _is_headless() -> bool:
    return os.environ.get("DEMO_UI") == "0" or os.environ.get("CI", "").lower() == "true"


def _fill(settings: MillpondSettings, customers: int, companies: Path | None, seed: int) -> None:
    sandbox = Sandbox(Path(settings.sandbox))
    if sandbox.netsuite.rows("customer"):
        print_line(f"the sandbox in {settings.home} is already filled; continuing with it")
        return
    origin = f"companies of {companies}" if companies else "generated companies"
    print_line(f"filling the sandbox's NetSuite with {customers:,} entities ({origin}) …")
    fill(sandbox, customers=customers, companies=companies, seed=seed)


def _print_suggestions(settings: MillpondSettings) -> None:
    """Print three commands to copy, and that of the UI if it is not opened."""
    warehouse = warehouse_of(settings)
    found = warehouse.read(
        "select source_id from sync_decisions where source = 'customers' and to_run is null"
        " order by action <> 'quarantined', try_cast(source_id as bigint) limit 1"
    )
    record = found["source_id"][0] if found.height else "1001"
    command = _short(Path(sys.executable).with_name("millpond"))
    millpond = f"MILLPOND_HOME={_short(Path(os.environ['MILLPOND_HOME']))} {command}"
    query = (
        "select workflow, reason_code, count(*) as records from sync_decisions"
        " where to_run is null and target_id is null group by all order by all"
    )
    snapshot = f"duckdb.connect('{_short(warehouse.snapshot)}', read_only=True)"
    print_line("\nThree things to try next:", "bold")
    for purpose, command in (
        ("Explain one record: its source, the decisions, what was sent.", f"{millpond} explain {record}"),
        (
            "Simulate a day of edits in NetSuite and in the targets; then `plan all` and `run all`.",
            f"{millpond} sandbox day --manual-edits",
        ),
        (
            "Query the analysts' snapshot: records that are in no target, with the reason.",
            f"""{_short(Path(sys.executable))} -c "import duckdb; {snapshot}.sql('{query}').show(max_rows=99)\"""",
        ),
    ):
        print_line(f"  {purpose}")
        print_line(f"    {command}")
    if _is_headless():
        print_line("The asset graph, plans and checks in the Dagster UI:")
        print_line(f"    {millpond} ui")


def _short(path: Path) -> str:
    """The path as a person would type it here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
