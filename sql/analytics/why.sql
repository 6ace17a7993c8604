/*
why: The origin of one value of a target record: NetSuite's column, the rule, the request and its outcome.

grain   one row per record and step, from NetSuite to the target
key     source, position, what, happened_at
reads   lineage_columns, sync_links, sync_attempts, stg_netsuite__customers, stg_netsuite__projects, stg_netsuite__contacts
notes   `from why('suiteprojects__customers', '107', 'addr_city')`: a workflow, a NetSuite id, and a target field. The same
        number may be the id of another record in the target: `why(…, id_of := 'target')` reads it as the target's id.
        Times are UTC; requests and their outcomes are in the order of the ledger, whatever the clocks showed.
*/
create or replace macro why(workflow_name, record, field_name, id_of := 'netsuite') as table (
with

mart as (
    select source, source_id, to_json(mart) ->> field_name as value
    from query_table('mart_' || workflow_name) as mart
    where id_of = 'netsuite' and source_id = cast(record as varchar)
        or id_of = 'target' and (source, source_id) in (
            select (source, source_id) from sync_links
            where workflow = workflow_name and target_id = cast(record as varchar)
        )
),

seen as (
    select 'customers' as source, customer_id as source_id, modified_at, to_json(stg) as staged
    from stg_netsuite__customers as stg
    semi join mart on mart.source = 'customers' and customer_id = mart.source_id
    union all
    select 'projects', project_id, modified_at, to_json(stg)
    from stg_netsuite__projects as stg
    semi join mart on mart.source = 'projects' and project_id = mart.source_id
    union all
    select 'contacts', contact_id, modified_at, to_json(stg)
    from stg_netsuite__contacts as stg
    semi join mart on mart.source = 'contacts' and contact_id = mart.source_id
),

rules as (
    select 'stg_netsuite__' || mart.source as source_table, mart.source, mart.source_id, source_column, expression, workflow_version
    from lineage_columns
    join mart on source_table = 'stg_netsuite__' || mart.source
    where workflow = workflow_name and target_field = field_name
),

links as (select * from sync_links semi join mart using (source, source_id) where workflow = workflow_name),

steps as (
    select source, source_id, 1 as position, 'NetSuite' as step, source_table || '.' || source_column as what, staged ->> source_column as value,
        modified_at as happened_at, 0 as place
    from rules join seen using (source, source_id)
    where source_column is not null
    union all
    select distinct source, source_id, 2, 'rule', 'workflow version ' || workflow_version, expression, null, 0 from rules
    union all
    select source, source_id, 3, 'mapped', field_name, value, null, 0 from mart
    union all
    select source, source_id, 4, case state when 'intent' then 'sent' else 'answered' end,
        case state when 'intent' then action else state end, reason, seen_at, sync_attempts.position
    from sync_attempts semi join mart using (source, source_id)
    where workflow = workflow_name
    union all
    select source, source_id, 5, 'target', target_id, to_json(target_state) ->> field_name, links.confirmed_at, 0
    from links join query_table('target_' || workflow_name) as target_state using (target_id)
)

select source, source_id, position, step, what, value, happened_at
from steps
order by source, source_id, position, place, what
)
