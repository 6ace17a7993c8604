"""`millpond compact` by hand and every night: what it says, and that a warehouse that is not there is no error."""

from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from orchestration.maintenance.compact import compact_warehouse, print_compacted
from orchestration.maintenance.job import tidy_job
from orchestration.maintenance.retention import Keep
from orchestration.settings import MillpondSettings
from resources.clock import WallClock
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.orchestration.conftest import QUIET, at_home


def fill(warehouse: Warehouse) -> None:
    """A version that ended long ago, one that is still so, and room that is free."""
    with warehouse.writer() as con:
        con.execute(
            "create table hist_netsuite__customers as select * from (values"
            " ('1', timestamp '2020-01-01', timestamp '2021-01-01', false),"
            " ('1', timestamp '2021-01-01', null, true)) as v (customer_id, valid_from, valid_to, is_current)"
        )
        con.execute("create table big as select md5(i::varchar) as text from range(50000) as r(i)")
    with warehouse.writer() as con:
        con.execute("delete from big")


def test_what_it_did_is_told(warehouse: Warehouse, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows by table, and the size before and after."""
    console = Console(width=100)
    assert print_compacted(warehouse, 730, sandbox.clock, console) == 2
    assert "nothing has been read yet" in capsys.readouterr().out

    fill(warehouse)
    assert print_compacted(warehouse, 730, sandbox.clock, console) == 0
    told = capsys.readouterr().out
    assert "hist_netsuite__customers" in told
    assert "MB before" in told
    assert warehouse.table("hist_netsuite__customers")["is_current"].to_list() == [True]


def test_nothing_goes_when_everything_is_kept(warehouse: Warehouse) -> None:
    """0 days is for ever; the room that is free goes all the same."""
    fill(warehouse)

    done = compact_warehouse(warehouse, keep_days=0, clock=WallClock())

    assert done.gone == {}
    assert done.after < done.before
    assert warehouse.table("hist_netsuite__customers").height == 2


@pytest.mark.parametrize("filled", [False, True])
def test_the_night_does_it(tmp_path: Path, *, filled: bool) -> None:
    """The job that tidies up thins and compacts as well, by the warehouse's own time."""
    with at_home(tmp_path) as home:
        if filled:
            fill(home.warehouse)
        job = tidy_job(Keep(runs=1, plans=1, reports=1), MillpondSettings())
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(
                instance=instance, resources={"warehouse": home.warehouse}, run_config=QUIET
            )

    assert result.success
    if filled:
        assert home.warehouse.table("hist_netsuite__customers").height == 1
