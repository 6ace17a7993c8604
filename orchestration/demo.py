"""Show the whole thing on a sandbox: fill NetSuite, run the job, say what to try, open the UI.

companies.csv.gz or the generator  ->  sandbox  ->  job `all`  ->  summary  ->  Dagster UI
"""

import os
from pathlib import Path
from time import monotonic

from rich.console import Console

from orchestration.settings import ROOT, MillpondSettings

REAL_COMPANIES = ROOT.parent / "shared" / "data" / "companies.csv.gz"
GROUP = "all"


def run_demo(console: Console, *, customers: int, seed: int) -> int:
    """Do it; returns the exit code."""
    os.environ.setdefault("MILLPOND_HOME", str(Path(".millpond/demo").absolute()))
    os.environ["MILLPOND_MODE"] = "sandbox"
    settings = MillpondSettings()
    began = monotonic()
    _fill(settings, console, customers, seed)
    from orchestration.running import run_group

    code = run_group(GROUP, console)
    console.print(f"done in {monotonic() - began:.0f} s", highlight=False)
    if code == 0:
        _say_next(settings, console)
    if code or _headless():
        return code
    from orchestration.ui import serve_ui

    return serve_ui(console, 3000)


def _headless() -> bool:
    return os.environ.get("DEMO_UI") == "0" or os.environ.get("CI", "").lower() == "true"


def _fill(settings: MillpondSettings, console: Console, customers: int, seed: int) -> None:
    from resources.sandbox.seed import seed as fill
    from resources.sandbox.world import Sandbox

    sandbox = Sandbox(Path(settings.sandbox))
    if sandbox.netsuite.rows("customer"):
        console.print(f"the sandbox in {settings.home} is filled already; going on with it", markup=False)
        return
    companies = REAL_COMPANIES if REAL_COMPANIES.exists() else None
    origin = "real companies" if companies else "invented companies"
    console.print(f"filling the sandbox's NetSuite with {customers:,} entities ({origin}) …", highlight=False)
    fill(sandbox, customers=customers, companies=companies, seed=seed)


def _say_next(settings: MillpondSettings, console: Console) -> None:
    from resources.warehouse import Warehouse

    warehouse = Warehouse(settings.pond)
    some = warehouse.read(
        "select source_id from sync_decisions where source = 'customers' and to_run is null"
        " order by action <> 'quarantined', try_cast(source_id as bigint) limit 1"
    )
    record = some["source_id"][0] if some.height else "1001"
    home = os.environ["MILLPOND_HOME"]
    prefix = f"MILLPOND_HOME={os.path.relpath(home)} .venv/bin/millpond"
    query = "select reason, count(*) from sync_decisions where to_run is null and target_id is null group by all"
    console.print("\nThree things to try next:", style="bold")
    for line in (
        f"{prefix} explain {record}          why this one is not everywhere",
        f"{prefix} ui                   the asset graph, plans and checks on http://127.0.0.1:3000",
        f'duckdb -readonly {os.path.relpath(warehouse.snapshot)} "{query}"',
    ):
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
