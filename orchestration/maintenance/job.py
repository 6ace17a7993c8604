"""The job that tidies up: see `tidying.py` for what goes."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from assets.failures import dagster_failure
from orchestration.account_partitions import account_of, partitions_of
from orchestration.automation.jobs import TIDY
from orchestration.maintenance.compact import compact_warehouse
from orchestration.maintenance.retention import Keep, clear_plans, remove_files, remove_runs
from orchestration.settings import MillpondSettings, warehouse_clock
from resources.warehouse.warehouse import Warehouse


def tidy_job(keep: Keep, settings: MillpondSettings) -> dg.JobDefinition:
    """Steps that do not need each other: a warehouse that cannot be written does not keep Dagster's disk full.

    Args:
        keep: For how long things are kept.
        settings: Where the warehouse is, and its time; Dagster's runs and files have the machine's.
    """

    @dg.op(description="Remove old runs, their events and files.", out=dg.Out(dg.Nothing))
    def old_runs(context: dg.OpExecutionContext) -> None:
        removed = remove_runs(context.instance, datetime.now(UTC) - timedelta(days=keep.runs))
        context.add_output_metadata({"runs": removed})
        context.log.info("%d runs older than %g days removed", removed, keep.runs)

    @dg.op(description="Clear plans that cannot be sent any more.", out=dg.Out(dg.Nothing), pool="duckdb")
    def old_plans(context: dg.OpExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> None:
        now = warehouse_clock(account_of(context.run, settings)).now().replace(tzinfo=None)
        cleared = clear_plans(warehouse, now, timedelta(days=keep.plans))
        context.add_output_metadata(cleared)

    @dg.op(
        description="Take out of the warehouse what ended long ago, then write its file anew without the free room.",
        ins={"cleared": dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing),
        pool="duckdb",
    )
    def old_history(context: dg.OpExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> None:
        if not warehouse.exists():
            return
        with dagster_failure():
            done = compact_warehouse(
                warehouse, keep_days=settings.keep_days, clock=warehouse_clock(account_of(context.run, settings))
            )
        context.add_output_metadata({**done.gone, "bytes_before": done.before, "bytes_after": done.after})

    @dg.op(description="Remove old reports and what killed runs left.", out=dg.Out(dg.Nothing))
    def old_files(context: dg.OpExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> None:
        removed = remove_files(warehouse, datetime.now(UTC), timedelta(days=keep.reports))
        context.add_output_metadata(removed)

    @dg.job(
        name=TIDY,
        description="Remove old runs, plans that cannot be sent any more, what ended long ago, reports, leftovers.",
        partitions_def=partitions_of(settings),
    )
    def job() -> None:
        old_runs()
        old_history(old_plans())
        old_files()

    return job
