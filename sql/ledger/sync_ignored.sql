/*
sync_ignored: Records that are held back and that people ignore until a date; counts and alerts leave them out.

grain   one row per workflow and source record
key     workflow, source, source_id
reads   nothing
notes   `millpond ignore` writes a row. It applies to the decision that it names: a record that is held back for another
        reason is counted again. Nothing is sent because of it; once its cause is gone, the record is sent as usual.
*/
create table if not exists sync_ignored (
    workflow varchar,  -- workflow name
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    action varchar,  -- the decision: quarantined, blocked, ambiguous or failed
    reason_code varchar,  -- code of its reason
    until_on date,  -- last day, in UTC, on which the record is ignored
    decided_by varchar,  -- name of the person
    decided_at timestamp,  -- when, UTC
    note varchar  -- the person's reason
)
