/*
sync_unverified: Records that the newest certificate of a workflow does not verify, and until when each one was.

grain   one row per workflow and source record
key     workflow, source, source_id
reads   nothing
notes   Rewritten with each computed certificate; a record without a row is verified, or belongs in no target. A row of the
        kind verified is of a record that differs as the target or the workflow file keeps it. A record
        with a change that was not sent keeps its time as long as the target has the values of that time; after an edit
        in the target it is a second before its creation in NetSuite.
*/
create table if not exists sync_unverified (
    workflow varchar,  -- workflow name
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    kind varchar,  -- pending, wrong, held, absent (no longer shown by NetSuite), or verified (but a value differs)
    reason varchar,  -- why, as a code
    through timestamp,  -- NetSuite's time, UTC, up to which the record was as it should be; null: not known
    workflow_version varchar  -- fingerprint of the workflow file
)
