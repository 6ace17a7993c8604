/*
sync_runs: What each run did for each workflow.

grain   one row per run and workflow
key     run_id, workflow
reads   nothing
notes   Counts are by final action: what was decided, corrected by what the target answered.
*/
create table if not exists sync_runs (
    run_id varchar,  -- Dagster run
    workflow varchar,  -- the workflow
    workflow_version varchar,  -- fingerprint of the workflow file
    plan_id varchar,  -- the plan that was sent; null when the run only planned
    started_at timestamp,  -- when the workflow's part began, UTC
    finished_at timestamp,  -- when it ended, UTC; null while it runs or when it was killed
    state varchar,  -- read, planned, sending, finished, partial, halted (by a canary) or died
    note varchar,  -- why it stopped early
    source_records bigint,  -- records that were decided on
    created bigint,  -- records created in the target
    adopted bigint,  -- records of the target that were recognised and taken over
    updated bigint,  -- records updated
    deactivated bigint,  -- records switched off
    reactivated bigint,  -- records switched on again
    unchanged bigint,  -- records that were as they should be
    skipped bigint,  -- records that the selection leaves out
    blocked bigint,  -- records whose parent is not there
    quarantined bigint,  -- records that cannot be sent as they are
    ambiguous bigint,  -- records that several target records could be
    failed bigint,  -- records whose sending failed or did not come to it
    calls bigint,  -- requests to the target, reads and writes
    calls_left bigint,  -- calls that the target's allowance of the day had left at the end; null: it has none
    seconds double,  -- seconds of sending
    account varchar  -- address of the account that was written to
)
