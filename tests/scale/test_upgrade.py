"""A lake of version 0.1 is upgraded in one transaction, whichever machine comes first."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_of
from orchestration.upgrade.ensure import ensure_current
from resources.failpoints import arm, disarm
from resources.warehouse.schema_version import SCHEMA_VERSION
from resources.warehouse.warehouse import Warehouse, WarehouseError
from tests.orchestration.upgrade.conftest import LEDGER, Installation, in_use, unpack
from tests.scale.cluster import Cluster
from tests.scale.services import Services

pytest.importorskip("duckdb_extension_ducklake", reason="`make test-scale` has an environment with DuckLake")


@pytest.fixture
def old_lake(stores: Services, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """A home of 0.1 whose tables are in a lake, in use."""
    made = unpack(tmp_path / "old")
    stage = made.home / "pond" / "stage.duckdb"
    settings = {
        name: value
        for name, value in Cluster(made.home, stores, request.node.name).settings.items()
        if name.startswith("MILLPOND_WAREHOUSE_")
    }
    with in_use(made), pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        with warehouse(any_version=True).writer(transaction=False, tuned=True) as con:
            con.execute("commit")
            con.execute(f"attach '{stage}' as before (read_only)")
            for table in (*LEDGER, "plan_precoro__services", "twin_precoro__services"):
                con.execute(f"create table {table} as from before.{table}")
            con.execute("detach before")
            con.execute("begin")
        stage.unlink()
        yield made


def warehouse(*, any_version: bool = False) -> Warehouse:
    """The lake of the settings."""
    return warehouse_of(MillpondSettings(), any_version=any_version)


def test_a_lake_is_upgraded(old_lake: Installation) -> None:
    """Tables, values and waiting plans; the snapshot before the upgrade is named."""
    links = warehouse(any_version=True).read("select count(*) from sync_links").item()
    with pytest.raises(WarehouseError, match="run `millpond upgrade`"):
        warehouse().read("select 1")
    lines: list[str] = []
    ensure_current(lines.append)

    assert warehouse().read("select max(version) from schema_version").item() == SCHEMA_VERSION
    assert warehouse().read("select count(*) from sync_links").item() == links
    assert warehouse().has("target_precoro__services")
    assert any("has the tables as they were before" in line for line in lines)
    assert any("plan d744965e9654" in line for line in lines)
    with duckdb.connect(str(old_lake.home / "warehouse" / "analyst.duckdb"), read_only=True) as con:
        assert con.execute("select count(*) from sync_undo_holds").fetchall() == [(2,)]


def test_an_interrupted_upgrade_leaves_the_lake_as_it_was(old_lake: Installation) -> None:
    """Nothing of the transaction is there; the next start does it again."""

    def fail() -> None:
        raise KeyboardInterrupt

    arm("upgrade_tables_open", strike=fail)
    try:
        with pytest.raises(KeyboardInterrupt):
            ensure_current(lambda _: None)
    finally:
        disarm()

    assert warehouse(any_version=True).has("sync_holds")
    ensure_current(lambda _: None)
    assert warehouse().has("sync_undo_holds")
    assert (old_lake.home / "version.json").exists()
