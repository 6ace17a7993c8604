"""The account that a workflow's records belong to: recorded at the first delivery, checked before each read and send.

Target.account  ->  check_account(), bind_account()  ->  sync_accounts
"""

import duckdb
import polars as pl

from assets.delivery.errors import SyncError
from assets.delivery.run_context import RunContext
from assets.delivery.schemas import AS_MAPPED, KEY
from assets.delivery.target import Action
from resources.warehouse.bindings import TABLE, bind, find_conflict
from resources.warehouse.tables import has_table, read_frame


def check_account(run: RunContext) -> None:
    """Check that the target is the account that the workflow's records were sent to.

    Raises:
        SyncError: It is another one.
    """
    account = run.target.account  # may need a call, so before the warehouse is locked
    with run.warehouse.writer(transaction=False) as con:
        conflict = find_conflict(con, run.workflow.name, account)
    if conflict:
        raise SyncError(f"{run.workflow.name}: {conflict}")


def bind_account(run: RunContext) -> None:
    """Record the account at the first delivery.

    Raises:
        SyncError: The workflow belongs to another one.
    """
    check_account(run)
    account = run.target.account
    with run.warehouse.writer() as con:
        bind(con, run.workflow.name, account, run.now, run.run_id)


def delivered_by_others(con: duckdb.DuckDBPyConnection, run: RunContext, plan: pl.DataFrame) -> pl.DataFrame:
    """Return the records to deactivate whose target record another workflow of the same account delivers.

    Returns:
        KEY, and `other`: the workflow.
    """
    rows = plan.filter(pl.col("payload").is_not_null() & (pl.col("action") == Action.DEACTIVATE.value))
    if rows.is_empty():
        return rows.select(*KEY, pl.col("target_id").alias("other"))
    bound = has_table(con, TABLE)
    same = f"(select account from {TABLE} where name = link.workflow)" if bound else "null"
    mine = f"(select account from {TABLE} where name = $workflow)" if bound else "null"
    others = read_frame(
        con,
        "select link.target_id, min(link.workflow) as other from sync_links as link join sync_decisions as decided"
        " on decided.workflow = link.workflow and decided.source = link.source and decided.source_id = link.source_id"
        " and decided.to_run is null and (decided.action in ('create', 'adopt', 'update', 'reactivate')"
        " or (decided.action = 'unchanged' and list_contains($as_mapped, decided.reason_code)))"
        " where link.workflow <> $workflow and link.target = $target and link.target_id is not null"
        f" and coalesce({same} = {mine}, true) group by link.target_id",
        {"workflow": run.workflow.name, "target": run.workflow.spec.target, "as_mapped": sorted(AS_MAPPED)},
    )
    return rows.join(others, on="target_id", how="inner").select(*KEY, "other")
