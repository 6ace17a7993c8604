/*
workflow_status: The state of each workflow: its last run, the records in the target, and plans that wait.

grain   one row per workflow
key     workflow
reads   sync_runs, sync_decisions, sync_links, sync_plans
notes   `waiting_plan` is the guard's text if a plan waits for approval.
*/
create or replace view workflow_status as
with

last_run as (select * from sync_runs qualify row_number() over (partition by workflow order by started_at desc) = 1),

decided as (
    select
        workflow,
        count(*) as records,
        count(*) filter (action in ('quarantined', 'blocked', 'ambiguous', 'failed')) as held_back,
        count(*) filter (action = 'deferred') as deferred
    from sync_decisions
    where to_run is null
    group by workflow
),

linked as (select workflow, count(*) as in_target from sync_links group by workflow),

waiting as (select workflow, any_value(note) as note from sync_plans where state = 'waiting' group by workflow)

select
    workflow,  -- the workflow
    last_run.state,  -- state of its last run
    last_run.started_at,  -- start, UTC
    last_run.finished_at,  -- end, UTC
    decided.records,  -- number of source records decided on
    coalesce(linked.in_target, 0) as in_target,  -- number of its records in the target
    decided.held_back,  -- number of records that need attention
    decided.deferred,  -- records that the next run sends: the daily call quota was used up
    waiting.note as waiting_plan  -- the guard that stopped a plan; null: no plan waits
from last_run
left join decided using (workflow)
left join linked using (workflow)
left join waiting using (workflow)
order by workflow
