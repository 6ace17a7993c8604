/*
sync_runs: What each run did for each workflow.

grain   one row per run and workflow
key     run_id, workflow
reads
notes   Counts are by final action: what was decided, corrected by what the target answered.
*/
create table if not exists sync_runs (
    run_id varchar,
    workflow varchar,
    workflow_version varchar,
    plan_id varchar,
    started_at timestamp,
    finished_at timestamp,
    state varchar,
    note varchar,
    source_records bigint,
    created bigint,
    adopted bigint,
    updated bigint,
    deactivated bigint,
    reactivated bigint,
    unchanged bigint,
    skipped bigint,
    blocked bigint,
    quarantined bigint,
    ambiguous bigint,
    failed bigint,
    calls bigint,
    seconds double
)
