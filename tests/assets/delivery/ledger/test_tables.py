"""The ledger's tables are created once and replaced by key."""

import polars as pl

from assets.delivery.ledger.links import read_links
from assets.delivery.ledger.runs import update_run
from assets.delivery.ledger.tables import LEDGER_TABLES, ensure_ledger, upsert
from assets.delivery.schemas import LINK_SCHEMA
from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse


def test_the_ledger_is_created_once_with_comments(warehouse: Warehouse) -> None:
    """Every run ensures it; existing rows are kept."""
    with warehouse.writer() as con:
        ensure_ledger(con)
        update_run(con, "r1", "flow", {"state": "read"})
        ensure_ledger(con)

        runs = con.execute("select run_id from sync_runs").fetchall()
        comments = con.execute("select comment from duckdb_tables() where table_name like 'sync_%'").fetchall()
        assert all(has_table(con, name) for name in LEDGER_TABLES)

    assert runs == [("r1",)]
    assert all(text for (text,) in comments)


def test_a_link_is_replaced_and_others_are_kept(warehouse: Warehouse) -> None:
    """There is one link per source record and workflow."""
    names = ["workflow", "target", "source", "source_id", "target_id"]
    rows = [("flow", "t", "customers", "1", "901"), ("flow", "t", "customers", "2", "902")]
    elsewhere = [("other", "t", "customers", "1", "77")]
    replacement = [("flow", "t", "customers", "1", "999")]
    with warehouse.writer() as con:
        ensure_ledger(con)
        upsert(con, "sync_links", pl.DataFrame(rows + elsewhere, schema=names, orient="row"))
        upsert(con, "sync_links", pl.DataFrame(replacement, schema=names, orient="row"))

        links = read_links(con, "flow")
        none = read_links(con, "unknown")

    assert sorted(links.select("source_id", "target_id").rows()) == [("1", "999"), ("2", "902")]
    assert (none.height, none.columns) == (0, list(LINK_SCHEMA))
