/*
sync_manual_links: Links between source and target records that people set; the next plan follows them.

grain   one row per workflow and source record
key     workflow, source, source_id
reads   nothing
notes   `millpond link` writes a row and `millpond unlink` deletes it. Once a run has written our key into the target's
        record, that key has the same effect.
*/
create table if not exists sync_manual_links (
    workflow varchar,  -- workflow name
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    target_id varchar,  -- internal id of the target's record; null: no record matches, create one
    decided_by varchar,  -- name of the person
    decided_at timestamp,  -- when, UTC
    note varchar  -- the person's reason
)
