/*
workflow_status: The state of each workflow: its last delivery, the records in the target, and plans that wait.

grain   one row per workflow
key     workflow
reads   sync_runs, sync_decisions, sync_links, sync_plans, sync_ignored
notes   A run that only planned is no delivery: its time is `planned_at`, in the analysts' snapshot from the next run
        on that sends. `waiting_plan` is the guard's text if a plan waits for approval. Records that a person ignores until a date are not among those held back until then.
*/
create or replace view workflow_status as
with

last_delivery as (
    select * from sync_runs where plan_id is not null
    qualify row_number() over (partition by workflow order by position desc nulls last) = 1
),

runs as (
    select workflow, arg_max(started_at, coalesce(position, 0)) filter (plan_id is null) as planned_at
    from sync_runs
    group by workflow
),

-- a person's decision applies to the reason that it was made for, through its day
ignored as (select * from sync_ignored where until_on >= cast(now() at time zone 'UTC' as date)),

decided as (
    select
        known.workflow,
        count(*) as records,
        count(*) filter (known.action in ('quarantined', 'blocked', 'ambiguous', 'failed') and ignored.until_on is null) as held_back,
        count(*) filter (known.action in ('quarantined', 'blocked', 'ambiguous', 'failed') and ignored.until_on is not null) as ignored,
        count(*) filter (known.action = 'deferred') as deferred,
        any_value(known.reason) filter (known.action = 'deferred') as deferred_reason
    from sync_decisions as known
    left join ignored
        on ignored.workflow = known.workflow and ignored.source = known.source and ignored.source_id = known.source_id
        and ignored.action = known.action and ignored.reason_code is not distinct from known.reason_code
    where known.to_run is null
    group by known.workflow
),

-- a link to a record that was left inactive has no fingerprint of sent values
linked as (
    select
        workflow,
        count(*) filter (payload_hash is not null or target_hash is not null) as in_target,
        count(*) filter (payload_hash is null and target_hash is null) as switched_off
    from sync_links
    where target_id is not null
    group by workflow
),

waiting as (
    select workflow, arg_max(note, coalesce(position, 0)) as note
    from sync_plans
    where state = 'waiting'
    group by workflow
)

select
    workflow,  -- the workflow
    last_delivery.state,  -- state of its last delivery; null: nothing was delivered yet
    last_delivery.started_at,  -- its start, UTC
    last_delivery.finished_at,  -- its end, UTC
    runs.planned_at,  -- start of the last run that only planned, UTC
    decided.records,  -- number of source records decided on
    coalesce(linked.in_target, 0) as in_target,  -- number of its records in the target, as last confirmed; without those switched off
    coalesce(linked.switched_off, 0) as switched_off,  -- number of its records that are in the target and inactive
    decided.held_back,  -- number of records that need attention, without those that a person ignores
    decided.ignored,  -- number of records that are held back and that a person ignores until a date
    decided.deferred,  -- records that the next run sends: the daily call quota was used up
    decided.deferred_reason,  -- until when they are deferred; null: none is
    waiting.note as waiting_plan  -- the guard that stopped a plan; null: no plan waits
from runs
left join last_delivery using (workflow)
left join decided using (workflow)
left join linked using (workflow)
left join waiting using (workflow)
order by workflow
