/*
sync_runs: The result of each run for each workflow.

grain   one row per run and workflow
key     run_id, workflow
reads   nothing
notes   Records are counted by their final action: the decision, corrected by the target's response.
*/
create table if not exists sync_runs (
    run_id varchar,  -- Dagster run
    workflow varchar,  -- workflow name
    workflow_version varchar,  -- fingerprint of the workflow file
    plan_id varchar,  -- plan that was sent; null if the run only planned
    started_at timestamp,  -- start of the workflow's part, UTC
    finished_at timestamp,  -- end, UTC; null while it runs or if it was killed
    state varchar,  -- read, planned, sending, finished, partial, halted (by a canary) or died
    note varchar,  -- reason why it stopped early
    source_records bigint,  -- records that were decided on
    created bigint,  -- records created in the target
    adopted bigint,  -- existing records of the target that were matched and taken over
    updated bigint,  -- records updated
    deactivated bigint,  -- records deactivated
    reactivated bigint,  -- records reactivated
    unchanged bigint,  -- records without a change
    skipped bigint,  -- records that the workflow leaves out
    blocked bigint,  -- records whose parent is not in the target
    quarantined bigint,  -- records that cannot be sent as they are
    ambiguous bigint,  -- records that match several target records
    deferred bigint,  -- records not sent because the daily call quota was used up; the next run sends them
    failed bigint,  -- records whose outcome is an error or unknown
    calls bigint,  -- requests to the target, reads and writes
    calls_left bigint,  -- requests left of the target's daily quota at the end; null: it has none
    seconds double,  -- seconds of sending
    account varchar,  -- address of the account that was written to
    position bigint,  -- place of the last change of this row in the ledger's sequence; a later one has a higher number
    read_position bigint  -- place in that sequence when the run began to read the target
)
