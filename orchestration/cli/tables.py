"""`millpond tables`: the warehouse's tables, views and macros, for analysts."""

from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from assets.result_texts import did_you_mean
from assets.warehouse.catalog import catalog
from assets.warehouse.catalog.catalog import LAYERS, Entry
from assets.warehouse.catalog.diagram import mermaid
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import NOTHING_READ, console, open_table, print_line, print_problems
from orchestration.cli.plan_list import print_shadowed
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_of
from resources.warehouse.analytics import add_analytics
from resources.warehouse.warehouse import WarehouseError


@with_json
def tables(name: str = "", *, page: Path | None = None) -> int:
    """List the warehouse's tables, views and macros.

    Args:
        name: A table, view or macro to describe: its columns, their meaning and origin.
        page: Write all of it, with a diagram of the tables, to this Markdown file instead.
    """
    warehouse = warehouse_of(MillpondSettings())
    if not warehouse.exists():
        print_problems([NOTHING_READ])
        return 2
    try:
        with warehouse.writer(transaction=False) as con:
            add_analytics(con)
            entries = catalog.read_catalog(con)
    except WarehouseError as error:
        print_problems([str(error)])
        return 1
    note(tables=[{**asdict(each), "layer": each.layer} for each in entries if name in {"", each.name}])
    if page:
        page.write_text(catalog.page(entries, mermaid(entries)), encoding="utf-8")
        print_line(f"{page}: {len(entries)} tables, views and macros")
        return 0
    if not name:
        _print_all(entries)
        print_shadowed(warehouse)
        return 0
    found = next((entry for entry in entries if entry.name == name), None)
    if found is None:
        meant = did_you_mean(name, (each.name for each in entries))
        print_problems([f"no table, view or macro {name!r}; {meant}`millpond tables` lists them"])
        return 2
    _print_one(found)
    print_shadowed(warehouse, name)
    return 0


def _print_all(entries: list[Entry]) -> None:
    for layer, title in LAYERS.items():
        of_layer = [entry for entry in entries if entry.layer == layer]
        if not of_layer:
            continue
        table = Table(
            title=title, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False
        )
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(overflow="fold")
        for entry in of_layer:
            rows = "" if entry.rows is None else f"{entry.rows:,}"
            table.add_row(entry.call, rows, entry.meaning.partition("\n")[0])
        console.print(table, "", markup=False)


def _print_one(entry: Entry) -> None:
    rows = "" if entry.rows is None else f", {entry.rows:,} rows"
    print_line(f"{entry.call}  ({entry.kind}{rows})", "bold")
    console.print(entry.meaning, markup=False, highlight=False)
    if entry.reads:
        console.print(f"\nReads {', '.join(entry.reads)}.", markup=False, highlight=False)
    table = open_table("column", "type", "meaning", "from")
    for column in entry.columns:
        table.add_row(column.name, column.kind, column.meaning, ", ".join(column.origin))
    if entry.columns:
        console.print("", table, markup=False)
