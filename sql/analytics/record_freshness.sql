/*
record_freshness: The delay of each record in a target behind NetSuite.

grain   one row per workflow and source record that the target has
key     workflow, source, source_id
reads   sync_links, sync_decisions, sync_attempts, sync_runs, sync_plans, stg_netsuite__customers, stg_netsuite__projects, stg_netsuite__contacts
notes   A record that equals NetSuite's is as fresh as the run that compared it. Runs for change notifications and undo runs
        compare some records only, so `compared_at` leaves them out.
*/
create or replace view record_freshness as
with

records as (
    select 'customers' as source, customer_id as source_id, modified_at from stg_netsuite__customers
    union all
    select 'projects', project_id, modified_at from stg_netsuite__projects
    union all
    select 'contacts', contact_id, modified_at from stg_netsuite__contacts
),

compared as (
    select runs.workflow, arg_max(runs.finished_at, runs.position) as compared_at
    from sync_runs as runs
    left join sync_plans as plans using (plan_id)
    where runs.state in ('finished', 'partial') and coalesce(plans.kind, 'sync') = 'sync'
    group by runs.workflow
),

decided as (select workflow, source, source_id, action from sync_decisions where to_run is null),

-- a link is confirmed again by another workflow file, or by an undo, which sends older values
arrived as (
    select attempts.workflow, attempts.source, attempts.source_id, min(attempts.seen_at) as arrived_at
    from sync_attempts as attempts
    join records on records.source = attempts.source and records.source_id = attempts.source_id
        and records.modified_at <= attempts.seen_at
    where attempts.state in ('confirmed', 'found')
        and attempts.run_id not in (select sent_by from sync_plans where kind = 'undo' and sent_by is not null)
    group by all
)

select
    links.workflow,  -- the workflow
    links.source,  -- kind of NetSuite record
    links.source_id,  -- NetSuite internal id
    links.target_id,  -- internal id of the target's record
    records.modified_at,  -- time of the last change in NetSuite, UTC
    links.payload_hash is not null or links.target_hash is not null as is_active,  -- whether it is active in the target; false: switched off
    links.confirmed_at,  -- time at which the target last confirmed the values sent, UTC
    compared.compared_at,  -- end of the workflow's last complete run, UTC
    decided.action in ('quarantined', 'blocked', 'ambiguous', 'failed') as is_held_back,  -- whether a newer version needs attention
    date_diff(
        'second', records.modified_at,
        coalesce(arrived.arrived_at, case when links.confirmed_at >= records.modified_at then links.confirmed_at end)
    ) as seconds_to_target  -- from the change in NetSuite to the target's first confirmation of it; null: nothing was sent after that change
from sync_links as links
left join records on links.source = records.source and links.source_id = records.source_id
left join compared on links.workflow = compared.workflow
left join arrived
    on links.workflow = arrived.workflow and links.source = arrived.source and links.source_id = arrived.source_id
left join decided
    on links.workflow = decided.workflow and links.source = decided.source and links.source_id = decided.source_id
where links.target_id is not null
