"""Print what is in the warehouse, for analysts: tables, views and macros with their columns."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from assets.warehouse.catalog.catalog import LAYERS, Entry, page, read_dictionary
from assets.warehouse.catalog.diagram import picture
from orchestration.settings import MillpondSettings
from orchestration.warehouse_access import warehouse_of
from resources.warehouse.tables import add_analytics
from resources.warehouse.warehouse import WarehouseError


def print_tables(name: str, to_page: Path | None, console: Console, to_picture: Path | None = None) -> int:
    """Print all tables, or one with its columns, or write page and picture; returns the exit code."""
    settings = MillpondSettings()
    warehouse = warehouse_of(settings)
    if not warehouse.exists():
        console.print("nothing has been read yet: `millpond run all` first", style="red")
        return 2
    try:
        with warehouse.writer(transaction=False) as con:
            add_analytics(con)
            entries = read_dictionary(con)
    except WarehouseError as error:
        console.print(f"✗ {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    written = {path: make(entries) for path, make in ((to_page, page), (to_picture, picture)) if path}
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
        console.print(f"{path}: {len(entries)} tables, views and macros", markup=False, highlight=False)
    if written:
        return 0
    if not name:
        _print_all(entries, console)
        return 0
    chosen = [entry for entry in entries if entry.name == name]
    if not chosen:
        line = f"no table, view or macro is called {name!r}; `millpond tables` lists them"
        console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    _print_one(chosen[0], console)
    return 0


def _print_all(entries: list[Entry], console: Console) -> None:
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


def _print_one(entry: Entry, console: Console) -> None:
    rows = "" if entry.rows is None else f", {entry.rows:,} rows"
    console.print(f"{entry.call}  ({entry.kind}{rows})", style="bold", markup=False, highlight=False)
    console.print(entry.meaning, markup=False, highlight=False)
    if entry.reads:
        console.print(f"\nReads {', '.join(entry.reads)}.", markup=False, highlight=False)
    table = Table(box=None, pad_edge=False)
    for title in ("column", "type", "meaning", "from"):
        table.add_column(title, overflow="fold")
    for column in entry.columns:
        table.add_row(column.name, column.kind, column.meaning, ", ".join(column.origin))
    if entry.columns:
        console.print("", table, markup=False)
