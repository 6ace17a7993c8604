"""`millpond candidates`, `import`, `update` and `deselect`: the manual import of selected records.

candidates_<workflow>, sync_import_selection, jobs <workflow>__import and <workflow>__update
"""

import polars as pl
from rich.markup import escape
from rich.table import Table

from assets.delivery.imports.selection import deselect_records
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.plan.mode import Mode
from assets.result_texts import counted, did_you_mean
from orchestration.cli.facts import note, with_json
from orchestration.cli.options import All
from orchestration.cli.output import console, open_table, print_line, print_problems, print_wrapped
from orchestration.cli.run import run_job
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_of
from orchestration.workflow_files import load_workflows
from resources.clock import WallClock, utc_now
from resources.warehouse.tables import quoted

SHOWN_RECORDS = 50


@with_json
def candidates(workflow: str, *, search: str = "", show_all: All = False) -> int:
    """List the records that can be imported.

    Args:
        workflow: A workflow with `imports`; candidates are as of its last run or plan.
        search: Only records whose name contains this text, in any case.
        show_all: Also records that cannot be imported, with the reason.
    """
    if not _has_imports(workflow):
        return 2
    warehouse, table = warehouse_of(MillpondSettings()), f"candidates_{workflow}"
    if not warehouse.exists() or not warehouse.has(table):
        print_problems([f"{workflow} was never planned; run `millpond plan {workflow}` first"])
        return 2
    found = warehouse.table(table).filter(
        pl.col("label").fill_null("").str.to_lowercase().str.contains(search.lower(), literal=True)
    )
    found = found if show_all else found.filter("can_be_imported")
    planned_at = warehouse.read(f"select max(decided_at) as at from {quoted(f'plan_{workflow}')}")["at"][0]
    note(candidates=found.to_dicts())
    console.print(_candidate_table(found.head(SHOWN_RECORDS)))
    importable = int(found["can_be_imported"].sum())
    shown = f"; the first {SHOWN_RECORDS} are shown" if found.height > SHOWN_RECORDS else ""
    print_wrapped(
        f"{importable:,} can be imported, {found.height - importable:,} cannot;"
        f" as of {planned_at:%Y-%m-%d %H:%M} UTC{shown}"
    )
    return 0


def _candidate_table(found: pl.DataFrame) -> Table:
    table = open_table("NetSuite id", "level", "name", "parent", "selected", "why not")
    for row in found.iter_rows(named=True):
        note = row["why_not"] or ("imported before, and deleted in the target" if row["was_imported"] else "")
        cells = (row["source_id"], str(row["level"]), row["label"], row["parent_label"])
        # names may contain brackets, which are not markup
        table.add_row(*(escape(cell or "") for cell in cells), "yes" if row["is_selected"] else "", escape(note))
    return table


@with_json
def import_(workflow: str, *ids: str, search: str = "", all_records: All = False) -> int:
    """Select records and import them with their ancestors.

    Args:
        workflow: A workflow with `imports`. Existing target records are not changed.
        ids: NetSuite ids to select; records selected earlier are imported as well.
        search: Select records whose name contains this text, in any case; with ids, only those among them.
        all_records: Select all candidates.
    """
    if not _has_imports(workflow):
        return 2
    selection = {"ids": list(ids), "search": search, "all_records": all_records}
    return run_job(f"{workflow}__{Mode.IMPORT}", {f"selection_{workflow}": {"config": selection}})


@with_json
def update(workflow: str) -> int:
    """Bring imported records up to date; create nothing.

    Args:
        workflow: A workflow with `imports`.
    """
    return run_job(f"{workflow}__{Mode.UPDATE}") if _has_imports(workflow) else 2


@with_json
def deselect(workflow: str, *ids: str) -> int:
    """Deselect records for import.

    Args:
        workflow: A workflow with `imports`. Imported records stay and are kept up to date.
        ids: NetSuite ids.
    """
    if not _has_imports(workflow):
        return 2
    with warehouse_of(MillpondSettings()).writer() as con:
        ensure_ledger(con)
        deselected = deselect_records(con, workflow, ids, utc_now(WallClock()))
    print_line(f"deselected {deselected} of {counted(len(ids), 'records')}")
    return 0 if deselected == len(ids) else 1


def _has_imports(workflow: str) -> bool:
    """Return whether a workflow has `imports`; print a problem otherwise."""
    workflows, _ = load_workflows(MillpondSettings().workflows)
    importing = [each.name for each in workflows if each.spec.imports]
    if workflow in importing:
        return True
    meant = did_you_mean(workflow, importing)
    listed = ", ".join(importing) or "none"
    print_problems([f"{workflow} has no `imports` in its file; {meant}workflows with it: {listed}"])
    return False
