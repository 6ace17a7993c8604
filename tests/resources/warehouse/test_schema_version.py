"""The schema version of a warehouse is checked before its tables are used."""

from pathlib import Path

import pytest

from resources.warehouse.schema_version import SCHEMA_VERSION, stamp
from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse, WarehouseError


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """Return a warehouse without a file."""
    return Warehouse(tmp_path / "warehouse")


def any_version(warehouse: Warehouse) -> Warehouse:
    """The same warehouse, as an upgrade opens it."""
    return Warehouse(warehouse.folder, any_version=True)


def test_a_new_warehouse_is_stamped_by_its_first_write(warehouse: Warehouse) -> None:
    """With the version of this code; a read alone writes nothing."""
    with warehouse.writer(transaction=False) as con:
        assert not has_table(con, "schema_version")
    with warehouse.writer() as con:
        con.execute("create table records (id varchar)")

    assert warehouse.read("select version from schema_version")["version"].to_list() == [SCHEMA_VERSION]


def test_a_write_that_fails_leaves_no_stamp(warehouse: Warehouse) -> None:
    """The version is part of the transaction; the next write stamps."""
    with pytest.raises(ZeroDivisionError), warehouse.writer():
        raise ZeroDivisionError
    with warehouse.writer(transaction=False) as con:
        assert not has_table(con, "schema_version")
    with warehouse.writer() as con:
        con.execute("create table records (id varchar)")

    assert warehouse.has("schema_version")


def test_a_warehouse_without_version_is_refused(warehouse: Warehouse) -> None:
    """It is of 0.1: using it would add new tables beside the old ones."""
    with any_version(warehouse).writer() as con:
        con.execute("create table sync_pins (id varchar)")

    for transaction in (True, False):
        with pytest.raises(WarehouseError) as refused, warehouse.writer(transaction=transaction):
            pytest.fail("the section began")
        assert str(warehouse.file) in str(refused.value)
        assert "schema version 1" in str(refused.value)
        assert "run `millpond upgrade`" in str(refused.value)


def test_a_newer_warehouse_is_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    """With file, both versions, and what to do; compacting is no exception."""
    with warehouse.writer() as con:
        stamp(con, SCHEMA_VERSION + 1)
    other = Warehouse(warehouse.folder)

    for use in (other.compact, other.publish, lambda: other.read("select 1")):
        with pytest.raises(WarehouseError) as refused:
            use()
        assert f"{tmp_path / 'warehouse' / 'millpond.duckdb'}: schema version {SCHEMA_VERSION + 1}" in str(
            refused.value
        )
        assert "a newer Millpond has upgraded it: install that one" in str(refused.value)


def test_the_version_is_read_once(warehouse: Warehouse) -> None:
    """Later sections of one instance do not look again."""
    with warehouse.writer() as con:
        con.execute("create table records (id varchar)")
    with any_version(warehouse).writer() as con:
        stamp(con, SCHEMA_VERSION + 1)

    assert warehouse.read("select 1 as one").item() == 1
