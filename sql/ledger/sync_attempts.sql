/*
sync_attempts: Every write to a target: its intent and its outcome.

grain   one row per attempt and state
key     attempt_id, state
reads   nothing
notes   Append-only. An attempt begins with the state intent, committed before anything is sent, and ends with
        confirmed, rejected, unknown or not_sent. After a lost response or a dead run, the target is read and the
        attempt gets another row: found, absent, unverifiable if the target does not expose what was sent, or ambiguous
        if a create may have made one of several records; every plan checks an ambiguous one again. A create
        that takes a second call has the code `unfinished` until that call is known to have arrived; the next run makes
        it and adds the state finished.
*/
create table if not exists sync_attempts (
    attempt_id varchar,  -- one send of one record
    state varchar,  -- intent; confirmed, rejected, unknown or not_sent; found, absent, unverifiable or ambiguous; finished
    run_id varchar,  -- Dagster run
    workflow varchar,  -- workflow name
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    source_number bigint,  -- the same as a number, for fast lookups; null if it is not a number
    action varchar,  -- action that was sent
    target_id varchar,  -- internal id of the target's record
    payload_hash varchar,  -- fingerprint of the mapped values to be sent
    workflow_version varchar,  -- fingerprint of the workflow file
    request_hash varchar,  -- fingerprint of the changes, before and after
    code varchar,  -- the target's own code
    reason varchar,  -- the target's own message
    image varchar,  -- changes before and after, as JSON; only with the intent; encrypted if a key is set
    seen_at timestamp,  -- when, UTC
    position bigint,  -- place in the ledger's sequence: a later row has a higher number, whatever the clocks showed
    parent_target_id varchar,  -- target id of the parent that was sent; only with the intent
    existing_ids varchar,  -- with the first create of a delivery: target ids of the records without our key before it, as JSON
    emptied varchar,  -- fields whose value was replaced by a blank, as JSON; only with the intent
    replaced varchar  -- a few bits of each value that another one replaced, with its field, as JSON; only with the intent
)
