/*
sync_plans: Every plan that was made, and what became of it.

grain   one row per plan
key     plan_id
reads   nothing
notes   A plan is sent once. One that a guard holds back waits until a person applies or rejects it, or until it
        expires. The rows of a plan stand in plan_<workflow> for as long as it can still be sent.
*/
create table if not exists sync_plans (
    plan_id varchar,  -- the plan
    workflow varchar,  -- the workflow
    workflow_version varchar,  -- fingerprint of the workflow file that decided
    data_version varchar,  -- fingerprint of the source records that it was made from
    kind varchar,  -- sync, hints, or undo of a run
    made_by varchar,  -- the run that made it
    made_at timestamp,  -- when, UTC
    expires_at timestamp,  -- after this it cannot be sent, UTC
    state varchar,  -- made, waiting (for a person), sending, sent, partial, died, rejected or expired
    state_at timestamp,  -- since when, UTC
    sent_by varchar,  -- the run that sent it
    writes bigint,  -- records that it would write
    calls_needed bigint,  -- requests that sending takes, estimated
    seconds_needed double,  -- seconds that sending takes, estimated from the target's limits
    calls_left bigint,  -- requests that the target still allowed that day, as it told; null: it did not
    seal varchar,  -- fingerprint of all its rows: what was approved is what is sent
    decided_by varchar,  -- who released or dropped it, by the name of the account on this machine
    note varchar  -- which guard holds it back, or why it was rejected
)
