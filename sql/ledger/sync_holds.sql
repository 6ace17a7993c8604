/*
sync_holds: Records that an undo put back, and that are left alone until something changes.

grain   one row per workflow and source record
key     workflow, source, source_id
reads   nothing
notes   Without it the next run would do again what a person has just undone. A hold ends by itself when the mapped
        values of the source record, whether it is live, or the workflow file change.
*/
create table if not exists sync_holds (
    workflow varchar,  -- the workflow
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    payload_hash varchar,  -- fingerprint of the mapped values that are not to be sent again
    disposition varchar,  -- whether it was to be there or to be switched off
    workflow_version varchar,  -- fingerprint of the workflow file
    undone_run varchar,  -- the run that was undone
    run_id varchar,  -- the run that undid it
    held_at timestamp  -- since when, UTC
)
