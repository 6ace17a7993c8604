/*
tree: The target's records as a tree, with the NetSuite record and the run behind each.

grain   one row per record of the target, those of others included
key     target_id
reads   sync_links, {target_state}
notes   Where the target does not tell a record's parent, it is the one that was last sent. Records of others whose
        parent nobody tells stand at the top.
*/
with recursive

known as (
    select
        target_state.target_id,
        target_state.external_id,
        target_state.{label} as label,
        target_state.is_active,
        links.source,
        links.source_id,
        links.run_id,
        links.confirmed_at,
        coalesce(target_state.parent_id, nullif(links.parent_target_id, 'unsure')) as parent_target_id
    from {target_state} as target_state
    left join sync_links as links on links.workflow = $workflow and links.target_id = target_state.target_id
),

walked as (
    select *, 1 as level, [label] as path
    from known
    where parent_target_id is null or parent_target_id not in (select target_id from known)
    union all
    select known.*, walked.level + 1, list_append(walked.path, known.label)
    from known
    inner join walked on walked.target_id = known.parent_target_id
    where walked.level < 20
)

select
    target_id,  -- the target's internal id
    array_to_string(path, ' / ') as path,  -- its ancestors' names and its own
    level,  -- depth in the tree; 1 is the top
    label,  -- what people know it by
    is_active,  -- whether it is switched on
    external_id,  -- our key in it; null for records of others
    source,  -- staging table that it comes from, without its prefix
    source_id,  -- NetSuite internal id
    parent_target_id,  -- the parent's internal id in the target
    run_id,  -- the run that last confirmed it
    confirmed_at,  -- when, UTC
    is_active and count(*) filter (is_active) over (partition by parent_target_id, label) > 1
        as has_namesake  -- another live record below the same parent has the same name
from walked
order by path, length(target_id), target_id
