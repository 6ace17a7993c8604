"""The account that a workflow's records belong to: recorded at the first delivery, checked before each read and send.

Target.account  ->  check_account(), bind_account()  ->  sync_accounts
"""

from assets.delivery.errors import SyncError
from assets.delivery.run_context import RunContext
from resources.warehouse.bindings import bind, find_conflict


def check_account(run: RunContext) -> None:
    """Raise SyncError unless the target is the account that the workflow's records were sent to."""
    account = run.target.account  # may need a call, so before the warehouse is locked
    with run.warehouse.writer(transaction=False) as con:
        conflict = find_conflict(con, run.workflow.name, account)
    if conflict:
        raise SyncError(f"{run.workflow.name}: {conflict}")


def bind_account(run: RunContext) -> None:
    """Record the account at the first delivery; SyncError if the workflow belongs to another one."""
    check_account(run)
    account = run.target.account
    with run.warehouse.writer() as con:
        bind(con, run.workflow.name, account, run.now, run.run_id)
