/*
changes_between: The values that changed between two times: NetSuite's, those that a workflow wanted, and the targets'.

grain   one row per side, workflow, record, column and change
key     side, workflow, source, source_id, target_id, column_name, changed_at, from_position
reads   record_versions, sync_readings, sync_links
notes   `from changes_between('2026-11-01', '2026-11-08')`: changes after the first time, up to and including the second,
        in UTC. A new record, and a field that was read for the first time, has no earlier value. Values are text.
        Records of a target are named by the record that is linked to them now.
*/
create or replace macro changes_between(since, until) as table (
with

touched as (
    select distinct side, workflow, source, source_id, target_id
    from record_versions
    where valid_from > cast(since as timestamp) and valid_from <= cast(until as timestamp)
),

followed as (
    select versions.*, lag(versions.fields) over of_record as fields_before,
        coalesce(
            lag(versions.to_position) over of_record = versions.from_position,
            lag(versions.valid_to) over of_record = versions.valid_from,
            false
        ) as continues
    from record_versions as versions
    join touched
        on touched.side = versions.side and touched.workflow is not distinct from versions.workflow
        and touched.source is not distinct from versions.source
        and touched.source_id is not distinct from versions.source_id
        and touched.target_id is not distinct from versions.target_id
    window of_record as (
        partition by versions.side, versions.workflow, versions.source, versions.source_id, versions.target_id
        order by versions.from_position nulls first, versions.valid_from
    )
),

full_readings as (select * from sync_readings where side = 'target' and kind = 'all'),

changed as (
    select followed.*, unnest(map_keys(followed.fields)) as column_name, readings.fields as read_before
    from followed
    asof left join full_readings as readings
        on readings.workflow = followed.workflow and readings.position < followed.from_position
    where valid_from > cast(since as timestamp) and valid_from <= cast(until as timestamp)
),

compared as (
    select *, fields[column_name] as value,
        not continues or not list_contains(map_keys(fields_before), column_name) or (
            side = 'target' and not starts_with(column_name, '(')
            and not coalesce(list_contains(from_json(read_before, '["VARCHAR"]'), column_name), true)
        ) as is_new
    from changed
)

select compared.valid_from as changed_at, compared.side, compared.workflow,
    coalesce(compared.source, links.source) as source, coalesce(compared.source_id, links.source_id) as source_id,
    compared.target_id, compared.is_new, compared.column_name,
    case when not compared.is_new then compared.fields_before[compared.column_name] end as before, compared.value as after,
    compared.from_position
from compared
left join sync_links as links on links.workflow = compared.workflow and links.target_id = compared.target_id
where case when compared.is_new then compared.value is not null
    else compared.fields_before[compared.column_name] is distinct from compared.value end
-- a clock that was set back does not turn places around
order by case when compared.from_position is null then changed_at
    else max(compared.valid_from) over (partition by compared.from_position is null order by compared.from_position) end,
    compared.from_position nulls first, compared.side, source, source_id, compared.column_name
)
