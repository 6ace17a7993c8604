"""The job `maintenance`: retention and compaction."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from assets.delivery.chain.checkpoints import ChainError
from assets.failures import dagster_failure
from orchestration.account_partitions import account_of, partitions_of
from orchestration.automation.groups import MAINTENANCE
from orchestration.configuration.settings import MillpondSettings
from orchestration.ledger_check import check_ledger
from orchestration.maintenance.compact import compact_warehouse
from orchestration.maintenance.counted_from import counted_from
from orchestration.maintenance.retention import clear_plans, delete_files, delete_runs
from orchestration.opened_warehouse import warehouse_clock
from resources.warehouse.warehouse import Warehouse


@dg.op(
    description="Verify the ledger's hash chain.",
    ins={"pruned": dg.In(dg.Nothing)},
    out=dg.Out(dg.Nothing),
    pool="duckdb",
)
def whole_ledger(context: dg.OpExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> None:
    """Log each finding of the verification."""
    if not warehouse.exists():
        return
    with dagster_failure(ChainError, ValueError):
        found = check_ledger(warehouse)
    for each in found.problems:
        context.log.error("%s: %s", each.what, each.text)
    context.add_output_metadata({"findings": found.count, "entries": found.entries, "rows_not_sealed": found.unsealed})


def maintenance_job(settings: MillpondSettings) -> dg.JobDefinition:
    """Return the job, of independent steps: Dagster's disk is cleared even if the warehouse cannot be written.

    Plans and history are dated by the warehouse's clock, runs and files by the machine's; where either is later than
    NetSuite's time at the last reading, days are counted from that.
    """

    @dg.op(description="Delete old runs, their events and files.", out=dg.Out(dg.Nothing))
    def old_runs(context: dg.OpExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> None:
        start = counted_from(warehouse, datetime.now(UTC))
        deleted = delete_runs(context.instance, start - timedelta(days=settings.keep_runs_days))
        context.add_output_metadata({"runs": deleted})
        context.log.info("%d runs older than %g days deleted", deleted, settings.keep_runs_days)

    @dg.op(description="Clear plans that can no longer be sent.", out=dg.Out(dg.Nothing), pool="duckdb")
    def old_plans(context: dg.OpExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> None:
        clock = warehouse_clock(account_of(context.run, settings))
        context.add_output_metadata(clear_plans(warehouse, clock, timedelta(days=settings.keep_plans_days)))

    @dg.op(
        description="Delete old history from the warehouse, and release its free space.",
        ins={"cleared": dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing),
        pool="duckdb",
    )
    def old_history(context: dg.OpExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> None:
        if not warehouse.exists():
            return
        clock = warehouse_clock(account_of(context.run, settings))
        with dagster_failure(ChainError):
            done = compact_warehouse(warehouse, keep_days=settings.retention_days, clock=clock)
        sizes = {"bytes_before": done.before, "bytes_after": done.after, "counted_from": str(done.counted_from)}
        context.add_output_metadata({**done.deleted, **sizes})

    @dg.op(description="Delete old reports and the files of killed processes.", out=dg.Out(dg.Nothing))
    def old_files(context: dg.OpExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> None:
        start = counted_from(warehouse, datetime.now(UTC))
        deleted = delete_files(warehouse, start, timedelta(days=settings.keep_reports_days))
        context.add_output_metadata(deleted)

    @dg.job(
        name=MAINTENANCE,
        description="Delete old runs, closed plans' values, old history, reports and leftovers; verify the ledger.",
        partitions_def=partitions_of(settings),
    )
    def job() -> None:
        old_runs()
        whole_ledger(old_history(old_plans()))
        old_files()

    return job
