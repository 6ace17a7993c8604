"""`millpond links`: every link of a NetSuite record to a target record."""

import csv as csv_format
import sys
from collections.abc import Mapping
from io import StringIO

import polars as pl

from assets.delivery.ledger.tables import ensure_ledger
from assets.result_texts import did_you_mean
from orchestration.cli.exit_codes import FAILED
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import print_line, print_problems
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_of
from resources.redaction import redact
from resources.spreadsheet import cell
from resources.warehouse.analytics import add_analytics
from resources.warehouse.tables import read_frame
from resources.warehouse.warehouse import Warehouse, WarehouseError

LINES_AT_ONCE = 1000  # one by one, thousands of lines take longer to print than to read


@with_json
def links(workflow: str = "", *, csv: bool = False) -> int:
    """List all links with the URLs of the target records.

    Args:
        workflow: One workflow; all when omitted.
        csv: CSV, for a spreadsheet or for NetSuite's file cabinet.
    """
    try:
        rows = _links(warehouse_of(MillpondSettings()))
    except WarehouseError as error:
        print_problems([str(error)])
        return FAILED
    known = rows["workflow"].unique().sort().to_list()
    if workflow and workflow not in known:
        meant = did_you_mean(workflow, known)
        print_problems([f"{workflow} has no links; {meant}workflows with links: {', '.join(known) or 'none'}"])
        return 2
    rows = rows.filter(pl.col("workflow") == workflow) if workflow else rows
    note(links=rows.to_dicts())
    if csv:
        _write_csv(rows)
        return 0
    for part in rows.iter_slices(LINES_AT_ONCE):
        print_line("\n".join(map(_line, part.iter_rows(named=True))))
    if rows.is_empty():
        print_line("there are no links yet")
    return 0


def _line(row: Mapping[str, str | None]) -> str:
    return f"{row['source']} {row['source_id']}: {row['target']} {row['target_id']}  {row['target_url'] or ''}"


def _write_csv(rows: pl.DataFrame) -> None:
    text = StringIO()
    csv_format.writer(text).writerows([rows.columns, *(map(cell, row) for row in rows.iter_rows())])
    sys.stdout.write(redact(text.getvalue()))


def _links(warehouse: Warehouse) -> pl.DataFrame:
    with warehouse.writer(transaction=False) as con:
        ensure_ledger(con)
        add_analytics(con)
        return read_frame(con, "from target_links")
