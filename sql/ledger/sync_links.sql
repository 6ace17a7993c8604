/*
sync_links: Which target record is which source record.

grain   one row per workflow and source record
key     workflow, source, source_id
reads
notes   The target carries our key as well (external id), so this table can be rebuilt from the target alone.
*/
create table if not exists sync_links (
    workflow varchar,
    target varchar,
    source varchar,
    source_id varchar,
    target_id varchar,
    parent_target_id varchar,
    matched_by varchar,
    payload_hash varchar,
    workflow_version varchar,
    run_id varchar,
    confirmed_at timestamp
)
