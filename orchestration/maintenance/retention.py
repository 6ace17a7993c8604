"""Remove what nobody will ask for again, so that disks do not fill while nobody looks.

Dagster's runs and their files  ·  rows and values of plans that cannot be sent any more  ·  reports  ·  leftovers
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg

from assets.delivery.ledger import plans
from assets.warehouse.snapshot import REPORTS
from resources.warehouse.tables import columns_of, has_table, quoted, tables_of
from resources.warehouse.warehouse import Warehouse

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
MOST_RUNS = 5_000  # at once; the rest goes next time
LEFTOVERS_H = 24  # a reading takes hours at most: what is older was left by a killed one
SCRATCH = ("scratch/*", ".spill/*", ".analyst.duckdb.*.tmp", "reports/*.tmp")


@dataclass(frozen=True)
class Keep:
    """For how many days things are kept."""

    runs: float
    plans: float
    reports: float


def remove_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Remove finished runs, their events and their files; what an asset was last made of stays known."""
    old = instance.get_run_ids(filters=dg.RunsFilter(statuses=FINISHED, updated_before=before), limit=MOST_RUNS)
    for run_id in old:
        instance.delete_run(run_id)
        for path in _files_of(instance, run_id):  # Dagster leaves them
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return len(old)


def _files_of(instance: dg.DagsterInstance, run_id: str) -> Iterator[Path]:
    try:
        root = Path(instance.root_directory)
    except (AssertionError, dg.DagsterInvariantViolationError):
        return  # an instance in memory, or in a database
    yield root / "storage" / run_id
    yield from (root / "history" / "runs").glob(f"{run_id}.db*")


def clear_plans(warehouse: Warehouse, now: datetime, keep: timedelta) -> dict[str, int]:
    """Expire plans that are past their time; of those that cannot be sent any more nothing but their row stays.

    The newest plan of a workflow keeps its rows without values: they say what each decision was made from.

    Returns:
        How many plans expired, and of how many rows were removed or bared.
    """
    done = {"expired": 0, "removed": 0, "bared": 0}
    with warehouse.writer() as con:
        if not has_table(con, "sync_plans"):
            return done
        waiting = "select count(*) from sync_plans where state in ('made', 'waiting')"
        before = con.execute(waiting).fetchall()[0][0]
        plans.expire(con, now)
        done["expired"] = before - con.execute(waiting).fetchall()[0][0]
        con.execute(
            "create or replace temp table _over as select plan_id, plan_id = first(plan_id) over (partition by"
            " workflow, kind = 'sync' order by made_at desc) and kind = 'sync' as is_newest from sync_plans"
            " qualify state not in ('made', 'waiting', 'sending') and state_at < ?",
            [now - keep],
        )
        for table in sorted(name for name in tables_of(con) if name.startswith("plan_")):
            if {"plan_id", "payload", "changes"} <= columns_of(con, table).keys():
                removed = (
                    f"delete from {quoted(table)} where plan_id in (select plan_id from _over where not is_newest)"
                )
                done["removed"] += con.execute(removed).fetchall()[0][0]
                done["bared"] += con.execute(_BARE.format(plan=quoted(table))).fetchall()[0][0]
    return done


_BARE = """
update {plan} set
    payload = null,
    changes = [{{'field': each.field, 'before': null::varchar, 'after': null::varchar}} for each in changes]
where payload is not null and plan_id in (select plan_id from _over where is_newest)
"""


def remove_files(warehouse: Warehouse, now: datetime, keep_reports: timedelta) -> dict[str, int]:
    """Remove old reports and what killed processes left beside the warehouse; `now` is the machine's time."""
    reports = list(_older(warehouse.folder, f"{REPORTS}/*.html", now - keep_reports))
    left = [path for each in SCRATCH for path in _older(warehouse.folder, each, now - timedelta(hours=LEFTOVERS_H))]
    for path in (*reports, *left):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return {"reports": len(reports), "leftovers": len(left)}


def _older(folder: Path, pattern: str, moment: datetime) -> Iterator[Path]:
    for path in folder.glob(pattern):
        try:
            changed = path.stat().st_mtime
        except FileNotFoundError:
            continue
        if changed < moment.timestamp():
            yield path
