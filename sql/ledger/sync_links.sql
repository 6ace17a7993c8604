/*
sync_links: The target record of each source record.

grain   one row per workflow and source record
key     workflow, source, source_id
reads   nothing
notes   The target's record carries our key as well (external id), so this table can be rebuilt from the target alone.
*/
create table if not exists sync_links (
    workflow varchar,  -- workflow name
    target varchar,  -- record type in the target
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    target_id varchar,  -- internal id of the target's record
    parent_target_id varchar,  -- internal id of the parent's record in the target
    matched_by varchar,  -- how it was matched: external_id, created, link, manual, or the field that matched
    payload_hash varchar,  -- fingerprint of the mapped values that were last confirmed
    target_hash varchar,  -- fingerprint of the target's record right after these values were written
    workflow_version varchar,  -- fingerprint of the workflow file that wrote it
    run_id varchar,  -- run that last confirmed it
    confirmed_at timestamp,  -- when, UTC
    value_hashes varchar,  -- fingerprint of each field of the target's record at that time, as JSON: what differs was edited
    restored varchar  -- when the row came from a backup, UTC, as long as no run has seen the record since
)
