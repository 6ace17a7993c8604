/*
tree: The target's records as a tree, each with its NetSuite record and the run that last confirmed it.

grain   one row per record of the target, including those not from NetSuite
key     target_id
reads   sync_links, {target_state}
notes   Where the target does not report a record's parent, the parent last sent is used. Records without a known parent
        are at the top.
*/
with recursive

records as (
    select
        target_state.target_id,
        target_state.external_id,
        target_state.{label} as label,
        target_state.is_active,
        links.source,
        links.source_id,
        links.run_id,
        links.confirmed_at,
        nullif(
            coalesce(target_state.parent_id, nullif(links.parent_target_id, 'uncertain')), 'top'
        ) as parent_target_id
    from {target_state} as target_state
    left join sync_links as links on links.workflow = $workflow and links.target_id = target_state.target_id
),

walked as (
    select *, 1 as level, [label] as path
    from records
    where parent_target_id is null or parent_target_id not in (select target_id from records)
    union all
    select records.*, walked.level + 1, list_append(walked.path, records.label)
    from records
    inner join walked on walked.target_id = records.parent_target_id
    where walked.level < 20
)

select
    target_id,  -- the target's internal id
    array_to_string(path, ' / ') as path,  -- names of its ancestors and its own
    level,  -- depth in the tree; 1 is the top
    label,  -- name shown to people
    is_active,  -- whether it is active
    external_id,  -- our key; null for records not from NetSuite
    source,  -- staging table without its prefix
    source_id,  -- NetSuite internal id
    parent_target_id,  -- the parent's internal id in the target
    run_id,  -- run that last confirmed it
    confirmed_at,  -- time of that confirmation, UTC
    is_active and count(*) filter (is_active) over (partition by parent_target_id, label) > 1
        as has_duplicate_name  -- another active record under the same parent has the same name
from walked
order by path, length(target_id), target_id
