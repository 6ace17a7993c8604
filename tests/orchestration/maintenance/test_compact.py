"""`millpond compact`, and the maintenance job's compaction."""

import os
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl
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


def read_in(warehouse: Warehouse, year: int) -> None:
    """Add a reading of NetSuite in a year."""
    read_at = datetime(year, 11, 1, tzinfo=UTC).replace(tzinfo=None)
    reading = pl.DataFrame({"reading": [year], "read_at": [read_at], "netsuite_at": [read_at]})
    warehouse.replace("netsuite_reads", reading)


def test_a_clock_that_is_ahead_makes_nothing_old(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Days are counted from NetSuite's time at the last reading, and the command says so."""
    fill(home.warehouse)
    read_in(home.warehouse, 2021)

    assert compact(keep_days=730) == 0
    assert "days are counted from NetSuite's time" in " ".join(capsys.readouterr().out.split())
    assert home.warehouse.table("hist_netsuite__customers").height == 2

    read_in(home.warehouse, 2024)
    assert compact(keep_days=730) == 0
    assert home.warehouse.table("hist_netsuite__customers").height == 1


@pytest.mark.long
def test_a_clock_that_is_ahead_deletes_no_run_and_no_report(tmp_path: Path) -> None:
    """A run, a report and the scratch of an extraction may be in use."""
    with at_home(tmp_path) as home:
        fill(home.warehouse)
        read_in(home.warehouse, 2021)
        report = home.warehouse.folder / "reports" / "run.html"
        report.parent.mkdir()
        report.write_text("a report")
        os.utime(report, (datetime(2021, 10, 30, tzinfo=UTC).timestamp(),) * 2)
        with dg.DagsterInstance.ephemeral() as instance:
            run = instance.create_run_for_job(_nothing, status=dg.DagsterRunStatus.SUCCESS)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("MILLPOND_KEEP_RUNS_DAYS", "0.000000001")
                result = maintenance_job(MillpondSettings()).execute_in_process(
                    instance=instance, resources={"warehouse": home.warehouse}, run_config=QUIET
                )
            kept = instance.get_run_by_id(run.run_id)

    assert result.success
    assert report.exists()
    assert kept is not None


@dg.job
def _nothing() -> None:
    """Do nothing."""


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
