/*
record_as_of: One record at a past time, field by field: NetSuite's value, what the workflow wanted, and the target's.

grain   one row per record and field
key     source, source_id, target_id, field
reads   record_versions, sync_readings, sync_decisions, sync_links, lineage_columns
notes   `from record_as_of('suiteprojects__customers', '107', '2026-11-17 12:00')`: a workflow, a NetSuite id, and a time in
        UTC; with `id_of := 'target'` the target's id. Each side is as it was read, made or written last before that
        time. Which columns of NetSuite a field comes from is by the workflow file as it is now. There is nothing from
        before the first run, and from before MILLPOND_KEEP_HISTORY_DAYS.
*/
create or replace macro record_as_of(workflow_name, record, moment, id_of := 'netsuite') as table (
with

place as (
    select max(position) as at_position
    from sync_readings
    where workflow = workflow_name and read_at <= cast(moment as timestamp)
),

-- the newest decision that was made by then says which of the target's records it was
decided as (
    select source, source_id, arg_max(target_id, coalesce(from_position, 0)) as target_id
    from sync_decisions, place
    where workflow = workflow_name and target_id is not null and coalesce(from_position, 0) <= at_position
        and (id_of = 'target' or source_id = cast(record as varchar))
        and (id_of = 'target' or source_number is not distinct from try_cast(record as bigint))
    group by source, source_id
),

keys as (
    select source, source_id, null as target_id
    from record_versions
    where id_of = 'netsuite' and side = 'desired' and workflow = workflow_name and source_id = cast(record as varchar)
    group by all
    union all
    select source, source_id, target_id from decided where id_of = 'target' and target_id = cast(record as varchar)
    union all
    select null, null, cast(record as varchar)
    where id_of = 'target' and cast(record as varchar) not in (select target_id from decided)
),

-- of records without any decision that is still kept, the link says it
links as (
    select sync_links.source, sync_links.source_id, sync_links.target_id
    from sync_links
    semi join keys using (source, source_id)
    anti join (select source, source_id from sync_decisions where workflow = workflow_name) as known
        using (source, source_id)
    where sync_links.workflow = workflow_name
),

linked as (
    select keys.source, keys.source_id, coalesce(keys.target_id, decided.target_id, links.target_id) as target_id
    from keys
    left join decided on decided.source = keys.source and decided.source_id = keys.source_id
    left join links on links.source = keys.source and links.source_id = keys.source_id
),

netsuite as (
    select versions.source, versions.source_id, versions.fields, versions.valid_from
    from record_versions as versions
    join keys on keys.source = versions.source and keys.source_id = versions.source_id
    where versions.side = 'netsuite' and valid_from <= cast(moment as timestamp)
        and (valid_to is null or valid_to > cast(moment as timestamp))
),

desired as (
    select versions.source, versions.source_id, versions.fields, versions.valid_from
    from record_versions as versions
    join keys on keys.source = versions.source and keys.source_id = versions.source_id, place
    where versions.side = 'desired' and versions.workflow = workflow_name and from_position <= at_position
        and (to_position is null or to_position > at_position)
),

target as (
    select versions.target_id, versions.fields, versions.valid_from,
        coalesce(unseen_position <= at_position, false) as is_unseen
    from record_versions as versions, place
    where versions.side = 'target' and versions.workflow = workflow_name
        and versions.target_id in (select target_id from linked) and from_position <= at_position
        and (to_position is null or to_position > at_position)
),

last_reading as (
    select arg_max(fields, position) as read_fields, arg_max(read_at, position) as read_at
    from sync_readings, place
    where workflow = workflow_name and side = 'target' and kind = 'all' and position <= at_position
),

origins as (
    select target_field as field, source_table, list(distinct source_column order by source_column) as columns
    from lineage_columns
    where workflow = workflow_name and source_column is not null
    group by all
),

-- the key is not among the fields
shown as (
    select origins.field, netsuite.source, netsuite.source_id, origins.columns,
        list_filter([{
            'name': each,
            'value': case when list_contains(map_keys(netsuite.fields), each) then netsuite.fields[each]
                else netsuite.source_id end
        } for each in origins.columns if list_contains(map_keys(netsuite.fields), each) or ends_with(each, '_id')],
            lambda each: each.value is not null) as parts,
        netsuite.valid_from
    from netsuite
    join origins on origins.source_table = 'stg_netsuite__' || netsuite.source
),

named as (
    select linked.source, linked.source_id, linked.target_id,
        unnest(list_distinct(list_concat(coalesce(map_keys(desired.fields), []), coalesce(map_keys(target.fields), [])))) as field
    from linked
    left join desired on desired.source = linked.source and desired.source_id = linked.source_id
    left join target on target.target_id = linked.target_id
)

select named.source, named.source_id, named.target_id, named.field,
    array_to_string(shown.columns, ', ') as netsuite_columns,
    case when len(shown.columns) = 1 then shown.parts[1].value
        else array_to_string([concat(each.name, ': ', each.value) for each in shown.parts], ', ') end as netsuite,
    desired.fields[named.field] as desired,
    target.fields[named.field] as target,
    -- a field that was not mapped then was not read
    target.target_id is not null and (
        starts_with(named.field, '(')
        or list_contains(map_keys(target.fields), named.field) and coalesce(list_contains(from_json(last_reading.read_fields, '["VARCHAR"]'), named.field), true)
    ) as is_read,
    coalesce(target.is_unseen, false) as is_unseen,
    netsuite.valid_from as netsuite_since, desired.valid_from as desired_since, target.valid_from as target_since,
    last_reading.read_at as target_read_at
from named
left join netsuite on netsuite.source = named.source and netsuite.source_id = named.source_id
left join desired on desired.source = named.source and desired.source_id = named.source_id
left join target on target.target_id = named.target_id
left join shown
    on shown.field = named.field and shown.source = named.source and shown.source_id = named.source_id
cross join last_reading
order by named.source, named.source_id, named.field
)
