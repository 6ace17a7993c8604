/*
explain: The history of one record, step by step: seen, decided, sent, answered, linked.

grain   one row per step, in chronological order
key     happened_at, source, source_id, workflow, step, what
reads   stg_netsuite__customers, stg_netsuite__projects, sync_decisions, sync_attempts, sync_links
notes   `from explain('107')` with a NetSuite id, `from explain('107', id_of := 'target')` with the id of a target's record: the
        same number may be both, of different records. Times are UTC.
        A table macro, published if the tables that it reads exist.
*/
create or replace macro explain(id, id_of := 'netsuite') as table (
with

-- a NetSuite id means the records of every source with that id, a target's id means the linked records
keys as (
    select null as of_source, cast(id as varchar) as of_id, try_cast(id as bigint) as of_number
    where id_of = 'netsuite'
    union
    select source, source_id, try_cast(source_id as bigint)
    from sync_links
    where id_of = 'target' and target_id = cast(id as varchar)
),

seen as (
    select modified_at, 'customers' as source, customer_id as source_id, entity_number,
        case when is_person then coalesce(alt_name, company_name) else coalesce(company_name, alt_name) end as name
    from stg_netsuite__customers
    union all
    select modified_at, 'projects', project_id, entity_number, project_name
    from stg_netsuite__projects
),

steps as (
    select modified_at as happened_at, 0 as place, source, source_id, null as workflow, 1 as position, 'seen' as step,
        entity_number as what, name as detail
    from seen
    semi join keys on of_id = source_id and coalesce(of_source, source) = source
    union all
    select seen_at, position, source, source_id, workflow, case state when 'intent' then 2 else 3 end, case state when 'intent' then 'sent' else 'answered' end,
        case state when 'intent' then action else state end, reason
    from sync_attempts
    semi join keys on of_number = source_number and of_id = source_id and coalesce(of_source, source) = source
    union all
    select from_at, from_position, source, source_id, workflow, 4, 'decided', action, reason
    from sync_decisions
    semi join keys on of_number = source_number and of_id = source_id and coalesce(of_source, source) = source
    union all
    select confirmed_at, 9223372036854775807, source, source_id, workflow, 5, 'linked', target_id, matched_by
    from sync_links
    semi join keys on of_id = source_id and coalesce(of_source, source) = source
)

select happened_at, source, source_id, workflow, step, what, nullif(detail, '') as detail
from steps
order by place, source, source_id, position, workflow
)
