/*
sync_decisions: The decision on each source record, for as long as it held.

grain   one row per workflow, source record and period with the same decision
key     workflow, source, source_id, from_run
reads   nothing
notes   A row begins with the run that first decided so and stays open (to_run is null) until a run decides otherwise,
        so the table grows with changes, not with runs.
*/
create table if not exists sync_decisions (
    workflow varchar,  -- workflow name
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    source_number bigint,  -- the same as a number, for fast lookups; null if it is not a number
    action varchar,  -- final action: the decision, corrected by the target's response
    reason_code varchar,  -- reason, as a code
    reason varchar,  -- reason, in words
    target_id varchar,  -- internal id of the target's record; null: not in the target
    workflow_version varchar,  -- fingerprint of the workflow file that decided
    from_run varchar,  -- first run with this decision
    from_at timestamp,  -- start of the period, UTC
    to_run varchar,  -- run that decided otherwise; null: still open
    to_at timestamp,  -- end of the period, UTC
    from_position bigint  -- place of the start in the ledger's sequence: a later one has a higher number
)
