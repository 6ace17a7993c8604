"""Retention: delete what is no longer needed, so that disks do not fill up.

Dagster's runs and their files · rows and values of closed plans · reports · files of killed processes
"""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg

from assets.delivery.ledger import plans
from assets.warehouse.run_report.page import REPORTS
from orchestration.maintenance.counted_from import counted_from
from resources.clock import Clock, steady, utc_now
from resources.scratch import is_held
from resources.warehouse.tables import columns_of, has_table, quoted, tables_of
from resources.warehouse.warehouse import Warehouse

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
MAX_RUNS = 5_000  # per call; the rest is deleted next time
LEFTOVER_HOURS = 24  # an extraction takes hours at most: older files belong to killed processes
SCRATCH = ("scratch/*", ".spill/*", ".analyst.duckdb.*", "reports/*.tmp")


def delete_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete finished runs, their events and their files; the latest materialization of each asset is kept."""
    old = instance.get_run_ids(filters=dg.RunsFilter(statuses=FINISHED, updated_before=before), limit=MAX_RUNS)
    for run_id in old:
        instance.delete_run(run_id)
        for path in _files_of(instance, run_id):  # Dagster leaves them
            _delete(path)
    return len(old)


def _files_of(instance: dg.DagsterInstance, run_id: str) -> Iterator[Path]:
    try:
        root = Path(instance.root_directory)
    except (AssertionError, dg.DagsterInvariantViolationError):
        return  # an instance in memory, or in a database
    yield root / "storage" / run_id
    yield from (root / "history" / "runs").glob(f"{run_id}.db*")


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def clear_plans(warehouse: Warehouse, clock: Clock, keep: timedelta) -> dict[str, int]:
    """Expire overdue plans, and delete the rows of closed plans.

    The newest plan of each workflow keeps its rows without values: they document each decision.

    Returns:
        The number of expired plans, of deleted rows, and of rows whose values were cleared.
    """
    done, now = {"expired": 0, "deleted": 0, "cleared": 0}, utc_now(clock)
    before_this = counted_from(warehouse, now) - keep
    with warehouse.writer() as con:
        if not has_table(con, "sync_plans"):
            return done
        count_open = "select count(*) from sync_plans where state in ('ready', 'waiting')"
        before = con.execute(count_open).fetchall()[0][0]
        plans.expire(con, now, steady(clock))
        done["expired"] = before - con.execute(count_open).fetchall()[0][0]
        con.execute(
            "create or replace temp table _closed as select plan_id, plan_id = first(plan_id) over (partition by"
            " workflow, kind = 'sync' order by coalesce(position, epoch_us(made_at)) desc) and kind = 'sync'"
            " as is_newest from sync_plans qualify state not in ('ready', 'waiting', 'sending') and state_at < ?",
            [before_this],
        )
        for table in sorted(name for name in tables_of(con) if name.startswith("plan_")):
            if {"plan_id", "payload", "changes"} <= columns_of(con, table).keys():
                done["deleted"] += con.execute(_DELETE_ROWS.format(plan=quoted(table))).fetchall()[0][0]
                done["cleared"] += con.execute(_CLEAR_VALUES.format(plan=quoted(table))).fetchall()[0][0]
    return done


_DELETE_ROWS = "delete from {plan} where plan_id in (select plan_id from _closed where not is_newest)"
_CLEAR_VALUES = """
update {plan} set
    payload = null,
    changes = [{{'field': each.field, 'before': null::varchar, 'after': null::varchar}} for each in changes]
where payload is not null and plan_id in (select plan_id from _closed where is_newest)
"""


def delete_files(warehouse: Warehouse, now: datetime, keep_reports: timedelta) -> dict[str, int]:
    """Delete old reports, and files of killed processes beside the warehouse; days are counted back from `now`."""
    reports = list(_older(warehouse.folder, f"{REPORTS}/*.html", now - keep_reports))
    before = now - timedelta(hours=LEFTOVER_HOURS)
    old = (path for pattern in SCRATCH for path in _older(warehouse.folder, pattern, before))
    leftovers = [path for path in old if not is_held(path)]  # a process may run for days, such as the console's
    for path in (*reports, *leftovers):
        _delete(path)
    return {"reports": len(reports), "leftovers": len(leftovers)}


def _older(folder: Path, pattern: str, moment: datetime) -> Iterator[Path]:
    for path in folder.glob(pattern):
        try:
            modified = path.stat().st_mtime
        except FileNotFoundError:
            continue
        if modified < moment.timestamp():
            yield path
