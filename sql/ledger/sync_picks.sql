/*
sync_picks: What people picked to be imported.

grain   one row per workflow and source record
key     workflow, source, source_id
reads   nothing
notes   Only workflows with `imports: {select: picked}` ask it. Ancestors of what is picked come along without a row.
        What was imported is kept up to date whether it is still picked or not.
*/
create table if not exists sync_picks (
    workflow varchar,  -- the workflow
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    picked_by varchar,  -- id, search or everything
    run_id varchar,  -- the run in which it was picked
    picked_at timestamp  -- when, UTC
)
