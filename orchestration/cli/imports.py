"""Import and Update by hand: what could be imported, picking it, and the two jobs.

millpond candidates | import | update | unpick  ->  candidates_<workflow>, jobs <workflow>__import and __update
"""

from collections.abc import Sequence

import polars as pl
from rich.console import Console
from rich.table import Table

from assets.delivery.ledger import ledger
from assets.delivery.plan.mode import Mode, drop_picks
from orchestration.cli.output import print_problems
from orchestration.cli.run import run_group
from orchestration.settings import MillpondSettings
from orchestration.warehouse_access import warehouse_of
from resources.warehouse.tables import quoted

SHOWN = 50


def run_import(workflow: str, ids: Sequence[str], search: str, console: Console, *, everything: bool) -> int:
    """Pick and import; returns the exit code."""
    if not _imports(workflow, console):
        return 2
    pick = {"ids": list(ids), "search": search, "everything": everything}
    return run_group(f"{workflow}__{Mode.IMPORT}", console, {f"selection_{workflow}": {"config": pick}})


def run_update(workflow: str, console: Console) -> int:
    """Update; returns the exit code."""
    return run_group(f"{workflow}__{Mode.UPDATE}", console) if _imports(workflow, console) else 2


def print_unpicked(workflow: str, ids: Sequence[str], console: Console) -> int:
    """Take picks back; returns the exit code."""
    if not _imports(workflow, console):
        return 2
    with warehouse_of(MillpondSettings()).writer() as con:
        ledger.ensure_ledger(con)
        gone = drop_picks(con, workflow, ids)
    console.print(f"{gone} of {len(ids)} were picked, and are not any more", highlight=False)
    return 0 if gone == len(ids) else 1


def print_candidates(workflow: str, search: str, console: Console, *, every: bool) -> int:
    """List candidates with name, level, parent and why not; returns the exit code."""
    if not _imports(workflow, console):
        return 2
    warehouse = warehouse_of(MillpondSettings())
    table = f"candidates_{workflow}"
    if not warehouse.exists() or not warehouse.has(table):
        print_problems([f"nothing is known yet; `millpond plan {workflow}` reads NetSuite and Precoro"], console)
        return 2
    found = _found(warehouse.table(table), search, every=every)
    as_of = warehouse.read(
        f"select max(decided_at) as at, count(*) as n from {quoted(f'plan_{workflow}')}",
    )["at"][0]
    console.print(_listed(found.head(SHOWN)))
    can = int(found["can_be_imported"].sum())
    line = f"{can:,} can be imported, {found.height - can:,} cannot; as of {as_of:%Y-%m-%d %H:%M} UTC"
    console.print(line + (f"; the first {SHOWN} are shown" if found.height > SHOWN else ""), highlight=False)
    return 0


def _found(candidates: pl.DataFrame, search: str, *, every: bool) -> pl.DataFrame:
    named = candidates.filter(
        pl.col("label").fill_null("").str.to_lowercase().str.contains(search.lower(), literal=True)
    )
    return named if every else named.filter("can_be_imported")


def _listed(candidates: pl.DataFrame) -> Table:
    table = Table("NetSuite id", "level", "name", "below", "picked", "why not")
    for row in candidates.iter_rows(named=True):
        again = "was imported, and deleted there" if row["was_imported"] else ""
        cells = (row["source_id"], str(row["level"]), row["label"], row["parent_label"])
        picked = "yes" if row["is_selected"] else ""
        table.add_row(*(_plain(cell) for cell in cells), picked, _plain(row["why_not"] or again))
    return table


def _plain(text: str | None) -> str:
    """Names are data: brackets in them are no markup."""
    return (text or "").replace("[", r"\[")


def _imports(workflow: str, console: Console) -> bool:
    from orchestration.definitions import load_workflows

    workflows, _ = load_workflows(MillpondSettings().workflows)
    with_imports = [each.name for each in workflows if each.spec.imports]
    if workflow in with_imports:
        return True
    print_problems(
        [f"{workflow} has no `imports` in its file; {', '.join(with_imports) or 'no workflow'} has"], console
    )
    return False
