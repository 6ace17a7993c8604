"""Read the current state of a target: every record that it holds, ours and others'.

Target.read()  ->  read_target_state()  ->  target_<workflow>
"""

from functools import partial

import polars as pl

from assets.delivery.errors import SyncError
from assets.delivery.ledger.account import check_account
from assets.delivery.ledger.attempts import last_create
from assets.delivery.ledger.certificates import losing_certificate
from assets.delivery.ledger.freshness import record_input
from assets.delivery.ledger.runs import update_run
from assets.delivery.ledger.sequence import last_position
from assets.delivery.ledger.sides import TARGET
from assets.delivery.ledger.tables import ensure_ledger
from assets.delivery.ledger.versions import keep_versions
from assets.delivery.locks import builder_lock
from assets.delivery.mart.versions import full_reading
from assets.delivery.run_context import RunContext
from assets.delivery.target import TARGET_STATE_COMMENTS
from resources.errors import IntegrationError
from resources.failpoints import reach
from resources.warehouse.tables import describe_table, replace_table


def _unsettled_s(run: RunContext) -> float:
    """Return the seconds until the target shows what was created last; all of them if that is not known."""
    settle_s = run.target.settle_s
    if not settle_s:
        return 0.0
    with run.warehouse.writer() as con:
        ensure_ledger(con)
        seen_at, is_open = last_create(con, run.workflow.name)
    age_s = (run.now - seen_at).total_seconds() if seen_at else settle_s
    return settle_s if is_open or age_s < 0 else max(0.0, settle_s - age_s)


def read_target_state(run: RunContext) -> pl.DataFrame:
    """Read all records of the target into target_<workflow>.

    Returns:
        TARGET_STATE_COLUMNS and the workflow's target fields (str).

    Raises:
        IntegrationError: The target did not answer completely; the table is unchanged.
        StuckError: Another run has been building the table for an hour.
    """
    workflow, spec = run.workflow, run.workflow.spec
    with builder_lock(run.warehouse, workflow.target_state):
        started_at, calls_before = run.now, run.target.calls
        losing = partial(losing_certificate, run.warehouse, workflow.name, run.clock, run.run_id)
        with losing(IntegrationError, SyncError):
            check_account(run)
        run.clock.sleep(_unsettled_s(run))
        with run.warehouse.writer() as con:
            ensure_ledger(con)
            read_position = last_position(con)
        with losing(IntegrationError):
            target_state = run.target.read(spec.target_fields)
        reach("target_state_read")
        with run.warehouse.writer() as con:
            replace_table(con, workflow.target_state, target_state)
            fields = {name: f"{name} in the target." for name in target_state.columns}
            comments = {**fields, **TARGET_STATE_COMMENTS}
            description = (
                f"The {spec.target} records in the target when last read, including records that are not ours."
            )
            columns = [(name, comments[name]) for name in target_state.columns]
            describe_table(con, workflow.target_state, description, columns)
            state = {
                "state": "read", "started_at": started_at, "read_position": read_position,
                "workflow_version": spec.version,
            }  # fmt: skip
            record_input(con, workflow.target_state, workflow.name, run.run_id, position=read_position)
            reading = full_reading(workflow, run.now, run.run_id, read_position)
            keep_versions(con, TARGET, reading, closes=run.target.lists_all)
            update_run(con, run.run_id, workflow.name, state, calls=run.target.calls - calls_before)
        return target_state
