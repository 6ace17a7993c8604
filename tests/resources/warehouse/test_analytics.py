"""Views and macros are written when something that they depend on changed, and only then."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from resources.warehouse import analytics
from resources.warehouse.analytics import add_analytics
from resources.warehouse.tables import ensure_table
from sql import names, statement


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with the tables of the ledger and their views, opened again as by another run."""
    with duckdb.connect(tmp_path / "warehouse.duckdb") as first:
        ensure_table(first, *(statement("ledger", name) for name in names("ledger")))
        add_analytics(first)
    with duckdb.connect(tmp_path / "warehouse.duckdb") as opened:
        yield opened


def written(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the object id of each view: one that is written again has another."""
    return dict(con.execute("select view_name, view_oid from duckdb_views() where not internal").fetchall())


def test_views_are_not_written_again_without_a_change(con: duckdb.DuckDBPyConnection) -> None:
    """A run with nothing to do publishes the views that are there."""
    before = written(con)
    assert "target_links" in before

    add_analytics(con)

    assert written(con) == before


@pytest.mark.parametrize(
    "change",
    [
        "drop view target_links",
        pytest.param("create or replace view target_links as select 1 as workflow", marks=pytest.mark.long),
        pytest.param("alter table sync_links add column other varchar", marks=pytest.mark.long),
        "create table mart_other (source varchar); create table target_other (target_id varchar)",
        pytest.param("drop macro table field_changes", marks=pytest.mark.long),
        "comment on view target_links is 'Something else'",
    ],
)
def test_a_change_of_views_or_tables_writes_them_again(con: duckdb.DuckDBPyConnection, change: str) -> None:
    """Whoever made it; afterwards they are as in a new warehouse."""
    before = written(con)
    con.execute(change)

    add_analytics(con)

    assert written(con) != before
    assert "target_url" in [row[0] for row in con.execute("describe target_links").fetchall()]
    comment = "select comment from duckdb_views() where view_name = 'target_links'"
    assert con.execute(comment).fetchall() == [(statement("analytics", "target_links").description,)]


def test_another_definition_writes_them_again(con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer version brings other views."""
    before = written(con)
    every = analytics.analytics_in_order()
    monkeypatch.setattr(analytics, "analytics_in_order", lambda: every[:-1])

    add_analytics(con)

    assert written(con) != before
