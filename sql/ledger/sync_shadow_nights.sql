/*
sync_shadow_nights: Each comparison of a shadowed workflow: what it would have written beside what the target has.

grain   one row per workflow, period and comparison
key     workflow, period, night
reads   nothing
notes   Written with each plan of all records while the period goes on. Only counts and times; the newest 400 are kept.
*/
create table if not exists sync_shadow_nights (
    workflow varchar,  -- workflow name
    period integer,  -- number of the period
    night integer,  -- number of the comparison in its period, from 1
    compared_at timestamp,  -- when, UTC
    run_id varchar,  -- run that planned
    plan_id varchar,  -- plan that was compared
    workflow_version varchar,  -- fingerprint of the workflow file
    netsuite_at timestamp,  -- NetSuite's time at the last reading of the records, UTC; null: not known
    target_at timestamp,  -- start of the run that read the target, UTC
    records bigint,  -- records that this workflow would have in the target
    alike bigint,  -- of these, the records that the target has as they should be
    differing bigint,  -- records that differ in a field
    missing bigint,  -- records that the target does not have
    left_out bigint,  -- records that the target has although the workflow file leaves them out
    held bigint,  -- records that this workflow holds back itself, so that nothing is compared
    only_there bigint,  -- records of the target that belong to no NetSuite record, as far as the match rules say
    unexplained bigint,  -- differences without a known cause that no one accepted
    interval_s double,  -- longest time in which a change was seen to arrive, in seconds; null: none was
    arrived_through timestamp  -- NetSuite's time, UTC, after which it made a change that has arrived; null: none has
)
