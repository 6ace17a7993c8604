/*
sync_decisions: What was decided for each source record, for as long as the decision held.

grain   one row per workflow, source record and spell
key     workflow, source, source_id, from_run
reads   nothing
notes   A spell begins with the run that first decided so and is open (to_run is null) until a run decides
        otherwise; growth is bounded by change, not by runs.
*/
create table if not exists sync_decisions (
    workflow varchar,  -- the workflow
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    source_number bigint,  -- the same as a number, by which rows are found fast; null where it is none
    action varchar,  -- what was decided and done
    reason_code varchar,  -- why, as a code
    reason varchar,  -- why, in words
    target_id varchar,  -- internal id of the target's record; null: not there
    workflow_version varchar,  -- fingerprint of the workflow file that decided
    from_run varchar,  -- first run that decided so
    from_at timestamp,  -- since when, UTC
    to_run varchar,  -- the run that decided otherwise; null: still so
    to_at timestamp  -- until when, UTC
)
