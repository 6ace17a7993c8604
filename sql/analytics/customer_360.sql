/*
customer_360: Everything about a customer, lead or prospect in one row.

grain   one row per NetSuite customer, lead and prospect that is not deleted
key     customer_id
reads   stg_netsuite__customers, stg_netsuite__projects, stg_netsuite__subsidiaries, sync_decisions, sync_links
notes   `targets` has one entry per workflow that delivers customers; unnest it to filter by target. `in_targets` leaves out
        targets that have it switched off.
*/
create or replace view customer_360 as
with

customers as (select * from stg_netsuite__customers where not is_deleted),

-- an individual has its own name, also if company_name holds an employer
names as (
    select customer_id,
        case when is_person then coalesce(nullif(concat_ws(' ', first_name, last_name), ''), alt_name, company_name)
            else coalesce(company_name, alt_name, concat_ws(' ', first_name, last_name)) end as name
    from customers
),

projects as (
    select customer_id, count(*) as projects, count(*) filter (not is_inactive) as active_projects
    from stg_netsuite__projects
    where not is_deleted
    group by customer_id
),

children as (
    select parent_customer_id as customer_id, count(*) as sub_customers
    from customers
    where parent_customer_id is not null
    group by all
),

decided as (
    select workflow, source_id, action, reason, from_at
    from sync_decisions
    where source = 'customers' and to_run is null
),

-- a link to a record that was left inactive has no fingerprint of sent values
linked as (
    select workflow, source_id, target_id, confirmed_at, payload_hash is null and target_hash is null as switched_off
    from sync_links
    where source = 'customers' and target_id is not null
),

targets as (
    select
        source_id as customer_id,
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
    customers.customer_id,  -- NetSuite internal id
    customers.entity_number,  -- number shown in NetSuite
    own.name,  -- company name, or the person's name
    customers.stage,  -- lead, prospect or customer
    customers.status_name as status,  -- NetSuite status within the stage
    customers.is_person,  -- a person, not a company
    customers.is_inactive,  -- inactive in NetSuite
    customers.parent_customer_id,  -- parent of a sub-customer
    above.name as parent_name,  -- name of the parent
    coalesce(children.sub_customers, 0) as sub_customers,  -- number of customers below it
    customers.subsidiary_id,  -- primary subsidiary
    subsidiaries.name as subsidiary,  -- name of the primary subsidiary
    customers.currency_code,  -- ISO 4217
    customers.country_code,  -- ISO 3166 code of its address
    customers.city,  -- city of its address
    coalesce(projects.projects, 0) as projects,  -- number of projects, inactive ones included
    coalesce(projects.active_projects, 0) as active_projects,  -- number of active projects
    coalesce(targets.in_targets, 0) as in_targets,  -- number of targets that have it, without those in which it is switched off
    targets.targets,  -- by workflow: target_id, action, reason, since, confirmed_at, switched_off
    customers.created_at,  -- time of creation in NetSuite, UTC
    customers.modified_at  -- time of the last change in NetSuite, UTC
from customers
join names as own using (customer_id)
left join names as above on customers.parent_customer_id = above.customer_id
left join children on customers.customer_id = children.customer_id
left join stg_netsuite__subsidiaries as subsidiaries on customers.subsidiary_id = subsidiaries.subsidiary_id
left join projects on customers.customer_id = projects.customer_id
left join targets on customers.customer_id = targets.customer_id
