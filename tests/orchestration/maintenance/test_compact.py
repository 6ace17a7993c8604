"""`millpond compact`, and the maintenance job's compaction."""

from pathlib import Path

import dagster as dg
import pytest

from orchestration.cli.compact import compact
from orchestration.configuration.settings import MillpondSettings
from orchestration.maintenance.compact import compact_warehouse
from orchestration.maintenance.job import maintenance_job
from resources.clock import WallClock
from resources.warehouse.warehouse import Warehouse
from tests.orchestration.conftest import QUIET, Home, at_home


def fill(warehouse: Warehouse) -> None:
    """Add an ended version, a current one, and free space."""
    with warehouse.writer() as con:
        con.execute(
            "create table hist_netsuite__customers as select * from (values"
            " ('1', timestamp '2020-01-01', timestamp '2021-01-01', false),"
            " ('1', timestamp '2021-01-01', null, true)) as v (customer_id, valid_from, valid_to, is_current)"
        )
        con.execute("create table big as select md5(i::varchar) as text from range(50000) as r(i)")
    with warehouse.writer() as con:
        con.execute("delete from big")


def test_the_command_prints_its_results(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows by table, and the size before and after."""
    assert compact(keep_days=730) == 2
    assert "nothing has been read yet" in capsys.readouterr().out

    fill(home.warehouse)
    assert compact(keep_days=730) == 0
    printed = capsys.readouterr().out
    assert "hist_netsuite__customers" in printed
    assert "MB before" in printed
    assert home.warehouse.table("hist_netsuite__customers")["is_current"].to_list() == [True]


def test_with_zero_days_no_history_is_deleted(tmp_path: Path) -> None:
    """Free space is released all the same."""
    warehouse = Warehouse(tmp_path / "warehouse")
    fill(warehouse)

    done = compact_warehouse(warehouse, keep_days=0, clock=WallClock())

    assert done.deleted == {}
    assert done.after < done.before
    assert warehouse.table("hist_netsuite__customers").height == 2


@pytest.mark.parametrize("filled", [False, True])
def test_the_maintenance_job_compacts(tmp_path: Path, *, filled: bool) -> None:
    """By the warehouse's own clock."""
    with at_home(tmp_path) as home:
        if filled:
            fill(home.warehouse)
        job = maintenance_job(MillpondSettings())
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(
                instance=instance, resources={"warehouse": home.warehouse}, run_config=QUIET
            )

    assert result.success
    if filled:
        assert home.warehouse.table("hist_netsuite__customers").height == 1
