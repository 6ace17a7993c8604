/*
sync_attempts: Every send, as it was meant and as it ended.

grain   one row per attempt and state
key     attempt_id, state
reads   nothing
notes   Append-only. An attempt begins with the state intent, committed before anything is sent, and ends with
        confirmed, rejected, unknown or not_sent. After a lost answer or a killed run the target is read back and
        the attempt gets a row more: found, absent, or untold where the target does not tell it. A create that takes
        a second call is `unfinished` (code) as long as that one is not known to have arrived; the next run does it
        and adds the state finished.
*/
create table if not exists sync_attempts (
    attempt_id varchar,  -- one send of one record
    state varchar,  -- intent, then confirmed, rejected, unknown or not_sent; found, absent or untold after reading back; finished
    run_id varchar,  -- Dagster run
    workflow varchar,  -- the workflow
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    source_number bigint,  -- the same as a number, by which rows are found fast; null where it is none
    action varchar,  -- what was sent
    target_id varchar,  -- internal id of the target's record
    payload_hash varchar,  -- fingerprint of the mapped values that were to be sent
    workflow_version varchar,  -- fingerprint of the workflow file
    request_hash varchar,  -- fingerprint of what was to change, before and after
    code varchar,  -- the target's own code
    reason varchar,  -- the target's own words
    image varchar,  -- what was to change, before and after, as JSON; only beside the intent; sealed when a key is set
    seen_at timestamp  -- when, UTC
)
