/*
sync_pins: What a person decided about which record is which; the next plan follows it.

grain   one row per workflow and source record
key     workflow, source, source_id
reads   nothing
notes   `millpond link` writes a row and `millpond unlink` takes it away. Once a run has written our key into the
        target's record, that key says the same.
*/
create table if not exists sync_pins (
    workflow varchar,  -- the workflow
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    target_id varchar,  -- internal id of the target's record; null: none of them is it, make a new one
    decided_by varchar,  -- the person, by the name of the account on this machine
    decided_at timestamp,  -- when, UTC
    note varchar  -- why, in the person's words
)
