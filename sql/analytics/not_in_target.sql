/*
not_in_target: The NetSuite records that are not in a target, each with the reason.

grain   one row per workflow and source record that the target does not have
key     workflow, source, source_id
reads   sync_decisions, sync_links, stg_netsuite__customers, stg_netsuite__projects, stg_netsuite__contacts
notes   Includes records skipped by a rule; filter by action for those that need attention.
*/
create or replace view not_in_target as
with

records as (
    select 'customers' as source, customer_id as source_id, entity_number,
        case when is_person then coalesce(nullif(concat_ws(' ', first_name, last_name), ''), alt_name, company_name)
            else coalesce(company_name, alt_name, concat_ws(' ', first_name, last_name)) end as name, is_deleted
    from stg_netsuite__customers
    union all
    select 'projects', project_id, entity_number, project_name, is_deleted
    from stg_netsuite__projects
    union all
    select 'contacts', contact_id, entity_number, concat_ws(' ', first_name, last_name), is_deleted
    from stg_netsuite__contacts
)

select
    decided.workflow,  -- the workflow
    decided.source,  -- kind of NetSuite record
    decided.source_id,  -- NetSuite internal id
    records.entity_number,  -- number shown in NetSuite
    records.name,  -- name in NetSuite
    records.is_deleted,  -- deleted in NetSuite
    decided.action,  -- skipped, blocked, quarantined, ambiguous, deferred or failed
    decided.reason_code,  -- reason, as a code
    decided.reason,  -- reason, as text
    decided.from_at as since  -- time of that decision, UTC
from sync_decisions as decided
anti join (select * from sync_links where target_id is not null) as links using (workflow, source, source_id)
left join records on decided.source = records.source and decided.source_id = records.source_id
where decided.to_run is null
