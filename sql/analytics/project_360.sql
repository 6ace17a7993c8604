/*
project_360: Everything about a project in one row.

grain   one row per NetSuite project that is not deleted
key     project_id
reads   stg_netsuite__projects, stg_netsuite__customers, stg_netsuite__subsidiaries, sync_decisions, sync_links
notes   `targets` has one entry per workflow that delivers projects; unnest it to filter by target. `in_targets` leaves out
        targets that have it switched off.
*/
create or replace view project_360 as
with

projects as (select * from stg_netsuite__projects where not is_deleted),

children as (
    select parent_project_id as project_id, count(*) as sub_projects
    from projects
    where parent_project_id is not null
    group by all
),

decided as (
    select workflow, source_id, action, reason, from_at
    from sync_decisions
    where source = 'projects' and to_run is null
),

-- a link to a record that was left inactive has no fingerprint of sent values
linked as (
    select workflow, source_id, target_id, confirmed_at, payload_hash is null and target_hash is null as switched_off
    from sync_links
    where source = 'projects' and target_id is not null
),

targets as (
    select
        source_id as project_id,
        count(target_id) filter (not switched_off) as in_targets,
        list(
            {'workflow': workflow, 'target_id': target_id, 'action': action, 'reason': reason,
             'since': from_at, 'confirmed_at': confirmed_at, 'switched_off': switched_off}
            order by workflow
        ) as targets
    from decided full join linked using (workflow, source_id)
    group by all
)

select
    projects.project_id,  -- NetSuite internal id
    projects.entity_number,  -- number shown in NetSuite
    projects.project_name as name,  -- project name
    projects.is_inactive,  -- inactive in NetSuite
    projects.start_date,  -- first day
    projects.end_date,  -- last day
    projects.customer_id,  -- NetSuite internal id of the customer
    case when customers.is_person then coalesce(nullif(concat_ws(' ', customers.first_name, customers.last_name), ''), customers.alt_name, customers.company_name)
        else coalesce(customers.company_name, customers.alt_name, concat_ws(' ', customers.first_name, customers.last_name)) end as customer_name,  -- name of the customer
    customers.stage as customer_stage,  -- lead, prospect or customer
    customers.is_inactive as customer_is_inactive,  -- whether the customer is inactive in NetSuite
    projects.parent_project_id,  -- parent of a sub-project
    above.project_name as parent_name,  -- name of the parent project
    coalesce(children.sub_projects, 0) as sub_projects,  -- number of projects below it
    projects.subsidiary_id,  -- the customer's primary subsidiary
    subsidiaries.name as subsidiary,  -- its name
    projects.currency_code,  -- ISO 4217
    coalesce(targets.in_targets, 0) as in_targets,  -- number of targets that have it, without those in which it is switched off
    targets.targets,  -- by workflow: target_id, action, reason, since, confirmed_at, switched_off
    projects.created_at,  -- time of creation in NetSuite, UTC
    projects.modified_at  -- time of the last change in NetSuite, UTC
from projects
left join stg_netsuite__customers as customers on customers.customer_id = projects.customer_id
left join projects as above on above.project_id = projects.parent_project_id
left join children on children.project_id = projects.project_id
left join stg_netsuite__subsidiaries as subsidiaries on subsidiaries.subsidiary_id = projects.subsidiary_id
left join targets on targets.project_id = projects.project_id
