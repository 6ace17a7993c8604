"""The ledger's links: which target record belongs to which source record, as confirmed or as a person decided.

sync_links, sync_manual_links, sync_record_urls
"""

import duckdb
import polars as pl

from assets.delivery.schemas import LINK_SCHEMA, MANUAL_LINK_SCHEMA
from resources.warehouse.tables import read_frame


def read_links(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """Return the last confirmed link of each source record: LINK_SCHEMA."""
    columns = ", ".join(LINK_SCHEMA)
    links = read_frame(con, f"select {columns} from sync_links where workflow = ?", [workflow])
    return links if links.height else pl.DataFrame(schema=LINK_SCHEMA)


def read_manual_links(con: duckdb.DuckDBPyConnection, workflow: str) -> pl.DataFrame:
    """Return the links that people set: MANUAL_LINK_SCHEMA."""
    query = "select source, source_id, target_id as manual_target_id from sync_manual_links where workflow = ?"
    links = read_frame(con, query, [workflow])
    return links if links.height else pl.DataFrame(schema=MANUAL_LINK_SCHEMA)


def save_record_url(con: duckdb.DuckDBPyConnection, workflow: str, target: str, template: str) -> None:
    """Store the URL template of the target's record pages; a blank one deletes it."""
    con.execute("delete from sync_record_urls where workflow = ?", [workflow])
    if template:
        con.execute("insert into sync_record_urls values (?, ?, ?)", [workflow, target, template])
