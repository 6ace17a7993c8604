/*
sync_undo_holds: Records that an undo reverted and that are left unchanged until something changes.

grain   one row per workflow and source record
key     workflow, source, source_id
reads   nothing
notes   Without a hold, the next run would repeat what was just undone. A hold begins with the intent of its write. It
        ends when the write did not arrive, or when the mapped values of the source record, its disposition, its
        parent's or the workflow file change.
*/
create table if not exists sync_undo_holds (
    workflow varchar,  -- workflow name
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    payload_hash varchar,  -- fingerprint of the mapped values that are not sent again
    disposition varchar,  -- deliver or retire: whether the record was to be active in the target
    workflow_version varchar,  -- fingerprint of the workflow file
    undone_run varchar,  -- run that was undone
    run_id varchar,  -- run that undid it
    held_at timestamp  -- start of the hold, UTC
)
