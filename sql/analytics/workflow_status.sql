/*
workflow_status: Where each workflow stands: its last run, what is in the target, what waits.

grain   one row per workflow
key     workflow
reads   sync_runs, sync_decisions, sync_links, sync_plans
notes   `waiting` is the guard's text when a plan waits for a person.
*/
create or replace view workflow_status as
with

last_run as (select * from sync_runs qualify row_number() over (partition by workflow order by started_at desc) = 1),

decided as (
    select
        workflow,
        count(*) as records,
        count(*) filter (action in ('quarantined', 'blocked', 'ambiguous', 'failed')) as held_back
    from sync_decisions
    where to_run is null
    group by workflow
),

linked as (select workflow, count(*) as in_target from sync_links group by workflow),

waiting as (select workflow, any_value(note) as note from sync_plans where state = 'waiting' group by workflow)

select
    workflow,  -- the workflow
    last_run.state,  -- how its last run ended
    last_run.started_at,  -- when it began, UTC
    last_run.finished_at,  -- when it ended, UTC
    decided.records,  -- source records that it decides on
    coalesce(linked.in_target, 0) as in_target,  -- records that the target has
    decided.held_back,  -- records that wait for somebody
    waiting.note as waiting  -- the guard that holds a plan back; null: none waits
from last_run
left join decided using (workflow)
left join linked using (workflow)
left join waiting using (workflow)
order by workflow
