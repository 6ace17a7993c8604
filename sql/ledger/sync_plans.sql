/*
sync_plans: Every plan and its state.

grain   one row per plan
key     plan_id
reads   nothing
notes   A plan is sent at most once. A plan that a guard holds back waits until a person applies or rejects it, or until
        it expires. The rows of a plan are in plan_<workflow> as long as it can be sent.
*/
create table if not exists sync_plans (
    plan_id varchar,  -- plan
    workflow varchar,  -- workflow name
    workflow_version varchar,  -- fingerprint of the workflow file that decided
    data_version varchar,  -- fingerprint of the source records
    kind varchar,  -- sync (all records), realtime (records with change notifications) or undo
    undone_run varchar,  -- run that an undo plan takes back; null for other kinds
    requested_by varchar,  -- name of the person who asked for an undo plan; null for other kinds
    made_by varchar,  -- run that made it
    made_at timestamp,  -- when, UTC
    expires_at timestamp,  -- last moment at which it can be sent, UTC
    state varchar,  -- ready, waiting (for approval), sending, sent, partial, died, rejected or expired
    state_at timestamp,  -- when it got this state, UTC
    sent_by varchar,  -- run that sent it
    writes bigint,  -- records that it would write
    calls_needed bigint,  -- estimated requests
    seconds_needed double,  -- estimated seconds, from the target's limits
    calls_left bigint,  -- requests that the target still allowed that day; null: unknown
    checksum varchar,  -- hash of its rows that write: only what was approved is sent
    decided_by varchar,  -- name of the person who applied or rejected it
    note varchar,  -- guard that holds it back, or reason of the rejection
    clock_origin varchar,  -- the clock that clock_s was read from: of the machine since its last start
    clock_s double,  -- seconds of that clock when it was made; it cannot be set, so it shows the plan's age
    position bigint  -- place in the ledger's sequence: a later row has a higher number, whatever the clocks showed
)
