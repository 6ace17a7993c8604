"""The maintenance job deletes what is no longer needed."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.delivery.ledger.tables import ensure_ledger
from orchestration.maintenance.retention import clear_plans, delete_files, delete_runs
from resources.clock import SharedClock
from resources.warehouse.warehouse import Warehouse
from tests.orchestration.conftest import QUIET, Home


def finished_run(instance: dg.DagsterInstance) -> str:
    """Run an asset, and return the run's id."""

    @dg.asset
    def made() -> None:
        """Do nothing."""

    return dg.materialize([made], instance=instance, run_config=QUIET).run_id


def test_old_runs_are_deleted_with_their_files(tmp_path: Path) -> None:
    """Dagster deletes no run by itself, and leaves the files of deleted runs; the latest materialization is kept."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run_id = finished_run(instance)
        files = list((tmp_path / "history" / "runs").glob(f"{run_id}*"))
        young = delete_runs(instance, datetime.now(UTC) - timedelta(days=1))
        deleted = delete_runs(instance, datetime.now(UTC) + timedelta(minutes=1))

        assert files
        assert (young, deleted) == (0, 1)
        assert instance.get_run_by_id(run_id) is None
        assert [path for path in tmp_path.rglob(f"*{run_id}*") if path.exists()] == []
        assert instance.get_latest_materialization_event(dg.AssetKey("made")) is not None


def add_plans(warehouse: Warehouse, now: datetime) -> None:
    """Add old plans of one workflow, one expired and two sent, and a plan that needs approval."""
    changes = [{"field": "name", "before": "Anna", "after": "Berta"}]
    rows = pl.DataFrame(
        {
            "plan_id": ["expired", "sent", "newest", "waiting"],
            "payload": ['{"name": "Berta"}'] * 4,
            "changes": [changes] * 4,
        }
    )
    warehouse.replace("plan_flow", rows)
    states = {"expired": "waiting", "sent": "sent", "newest": "sent", "waiting": "waiting"}
    table = pl.DataFrame(
        [
            ("flow", name, "sync", None, now - timedelta(days=20 - number), state, now - timedelta(days=9),
             now + timedelta(hours=1 if name == "waiting" else -1))
            for number, (name, state) in enumerate(states.items())
        ],
        schema={
            "workflow": pl.String, "plan_id": pl.String, "kind": pl.String, "position": pl.Int64,
            "made_at": pl.Datetime, "state": pl.String, "state_at": pl.Datetime, "expires_at": pl.Datetime,
        },
        orient="row",
    )  # fmt: skip
    warehouse.replace(
        "sync_plans",
        table.with_columns(
            made_at=pl.when(plan_id="newest").then(now).otherwise("made_at"),
            clock_origin=pl.lit(None, dtype=pl.String),
            clock_s=pl.lit(None, dtype=pl.Float64),
        ),
    )


def test_closed_plans_lose_their_values(warehouse: Warehouse, tmp_path: Path) -> None:
    """Payloads are personal data, encrypted or not; open plans stay complete, the newest keeps its decisions."""
    now = datetime(2026, 11, 22, 4, 30, tzinfo=UTC)
    add_plans(warehouse, now.replace(tzinfo=None))
    clock = SharedClock(tmp_path / "clock", start=now, jumps=True)

    first = clear_plans(warehouse, clock, timedelta(days=7))
    clock.sleep(8 * 86_400)
    later = clear_plans(warehouse, clock, timedelta(days=7))
    rows = {row["plan_id"]: row for row in warehouse.table("plan_flow").to_dicts()}

    assert first == {"expired": 1, "deleted": 1, "cleared": 1}
    assert later == {"expired": 1, "deleted": 1, "cleared": 0}
    assert set(rows) == {"newest", "waiting"}
    assert rows["newest"]["payload"] is None
    assert rows["newest"]["changes"] == [{"field": "name", "before": None, "after": None}]
    assert rows["waiting"]["payload"] is not None


def test_plans_keep_their_values_if_the_clock_is_ahead(warehouse: Warehouse, tmp_path: Path) -> None:
    """Days are counted from NetSuite's time at the last reading."""
    now = datetime(2026, 11, 22, 4, 30, tzinfo=UTC)
    add_plans(warehouse, now.replace(tzinfo=None))
    warehouse.replace("netsuite_reads", pl.DataFrame({"reading": [1], "netsuite_at": [now.replace(tzinfo=None)]}))
    clock = SharedClock(tmp_path / "clock", start=now + timedelta(days=365))

    done = clear_plans(warehouse, clock, timedelta(days=30))

    assert (done["deleted"], done["cleared"]) == (0, 0)


@pytest.mark.long
def test_the_maintenance_job_runs_every_step(home: Home) -> None:
    """Also without a warehouse, before the first run."""
    empty = home.run("maintenance")
    with home.warehouse.writer() as con:
        ensure_ledger(con)
        con.execute("insert into sync_plans (plan_id, state, expires_at) values ('old', 'waiting', '2026-01-01')")
    done = home.run("maintenance")
    metadata = {
        event.step_key: {name: value.value for name, value in event.event_specific_data.metadata.items()}
        for event in done.all_events if event.event_type is dg.DagsterEventType.STEP_OUTPUT
    }  # fmt: skip

    assert empty.success
    assert done.success
    assert metadata["old_plans"] == {"expired": 1, "deleted": 0, "cleared": 0}
    assert metadata["old_history"]["bytes_after"] > 0


def test_old_reports_and_leftover_files_are_deleted(warehouse: Warehouse) -> None:
    """Files of killed processes; what is being written now stays."""
    now = datetime.now(UTC)
    names = ["reports/old.html", "reports/new.html", "scratch/netsuite_old/rows", "scratch/netsuite_new/rows"]
    for name in names:
        path = warehouse.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    past = time.time() - 100 * 86_400
    for name in ("reports/old.html", "scratch/netsuite_old"):
        os.utime(warehouse.folder / name, (past, past))
    spilled = Path(warehouse.read("select current_setting('temp_directory')").item()).parent
    os.utime(spilled, (past, past))  # this process has run for long, and keeps the connection

    deleted = delete_files(warehouse, now, timedelta(days=90))

    assert deleted == {"reports": 1, "leftovers": 1}
    assert spilled.exists()
    left = {str(path.relative_to(warehouse.folder)) for path in warehouse.folder.rglob("*") if path.is_file()}
    assert {name for name in left if not name.endswith(".lock")} == {
        "reports/new.html", "scratch/netsuite_new/rows", warehouse.file.name
    }  # fmt: skip
