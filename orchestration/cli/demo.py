"""Show the whole thing on a sandbox: fill NetSuite, run the job, say what to try, open the UI.

companies.csv.gz or the generator  ->  sandbox  ->  job `all`  ->  summary  ->  Dagster UI
"""

import os
import sys
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
    from orchestration.cli.run import run_group

    code = run_group(GROUP, console)
    console.print(f"done in {monotonic() - began:.0f} s", highlight=False)
    if code == 0:
        _say_next(settings, console)
    if code or _headless():
        return code
    from orchestration.web.serve_ui import serve_ui

    return serve_ui(console, 3000)


def _headless() -> bool:
    return os.environ.get("DEMO_UI") == "0" or os.environ.get("CI", "").lower() == "true"


def _fill(settings: MillpondSettings, console: Console, customers: int, seed: int) -> None:
    from resources.sandbox.generator.seed import seed as fill
    from resources.sandbox.sandbox import Sandbox

    sandbox = Sandbox(Path(settings.sandbox))
    if sandbox.netsuite.rows("customer"):
        console.print(f"the sandbox in {settings.home} is filled already; going on with it", markup=False)
        return
    companies = REAL_COMPANIES if REAL_COMPANIES.exists() else None
    origin = "real companies" if companies else "invented companies"
    console.print(f"filling the sandbox's NetSuite with {customers:,} entities ({origin}) …", highlight=False)
    fill(sandbox, customers=customers, companies=companies, seed=seed)


def _say_next(settings: MillpondSettings, console: Console) -> None:
    """Three commands that can be copied as they stand, and the UI when it is not opened by itself."""
    from orchestration.warehouse_access import warehouse_of

    warehouse = warehouse_of(settings)
    some = warehouse.read(
        "select source_id from sync_decisions where source = 'customers' and to_run is null"
        " order by action <> 'quarantined', try_cast(source_id as bigint) limit 1"
    )
    record = some["source_id"][0] if some.height else "1001"
    millpond = f"MILLPOND_HOME={_short(Path(os.environ['MILLPOND_HOME']))} {_short(_installed('millpond'))}"
    query = (
        "select workflow, reason, count(*) as records from sync_decisions"
        " where to_run is null and target_id is null group by all order by all"
    )
    opened = f"duckdb.connect('{_short(warehouse.snapshot)}', read_only=True)"
    console.print("\nThree things to try next:", style="bold")
    for why, command in (
        ("One record's story: what was seen, decided, sent and answered.", f"{millpond} explain {record}"),
        (
            "A day goes by in NetSuite and in the targets; `plan all` and `run all` show what comes of it.",
            f"{millpond} sandbox day --by-hand",
        ),
        (
            "Which records are in no target, and why: SQL over the analysts' snapshot.",
            f"""{_short(Path(sys.executable))} -c "import duckdb; {opened}.sql('{query}').show()\"""",
        ),
    ):
        _print_plain(f"  {why}", console)
        _print_plain(f"    {command}", console)
    if _headless():
        _print_plain("The asset graph, plans and checks in the Dagster UI:", console)
        _print_plain(f"    {millpond} ui", console)


def _installed(command: str) -> Path:
    """A command of the environment that runs us."""
    return Path(sys.executable).with_name(command)


def _short(path: Path) -> str:
    """As a person would type it here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _print_plain(line: str, console: Console) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
