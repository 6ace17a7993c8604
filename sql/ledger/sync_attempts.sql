/*
sync_attempts: Every send, as it was meant and as it ended.

grain   one row per attempt and state
key     attempt_id, state
reads
notes   Append-only. An attempt begins with the state intent, committed before anything is sent, and ends with
        confirmed, rejected, unknown or not_sent. After a lost answer or a killed run the target is read back and
        the attempt gets a row more: found or absent.
*/
create table if not exists sync_attempts (
    attempt_id varchar,
    state varchar,
    run_id varchar,
    workflow varchar,
    source varchar,
    source_id varchar,
    action varchar,
    target_id varchar,
    request_hash varchar,
    code varchar,
    reason varchar,
    seen_at timestamp
)
