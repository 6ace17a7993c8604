/*
candidates: The records that are not in the target, and whether each can be imported.

grain   one row per source record that the target does not have
key     source, source_id
reads   sync_decisions, sync_links, sync_plans, {mart}, {plan}, {selection}
notes   As of the newest plan and the outcomes of sending it.
*/
with

decided as (
    select
        plan.*,
        coalesce(later.action, plan.action) as last_action,
        if(later.action is null, plan.reason_code, later.reason_code) as last_code,
        if(later.action is null, plan.reason, later.reason) as last_reason,
        coalesce(later.target_id, plan.target_id) as known_target_id
    from {plan} as plan
    join sync_plans as known using (plan_id)
    left join sync_decisions as later
        on later.workflow = $workflow and later.to_run is null and later.from_position > known.position
        and later.source = plan.source and later.source_id = plan.source_id
    where plan.plan_id = $plan_id
)

select
    decided.source,  -- staging table without its prefix
    decided.source_id,  -- NetSuite internal id
    mart.{label} as label,  -- name shown to people
    decided.level,  -- depth in the tree; 1 is the top
    decided.parent_source,  -- source of the parent record
    decided.parent_source_id,  -- NetSuite internal id of the parent record
    above.{label} as parent_label,  -- the parent's name
    decided.last_action in ('create', 'adopt', 'failed', 'deferred')
        or coalesce(decided.last_code, '') in ('not_picked', 'not_imported', 'deleted_in_target')
        as can_be_imported,  -- whether an import would create it
    if(can_be_imported, null, decided.last_code) as why_not_code,  -- reason why not, as a code
    if(can_be_imported, null, decided.last_reason) as why_not,  -- reason why not, as text
    selected.source_id is not null as is_selected,  -- selected already, or the ancestor of a selected record
    links.target_id is not null as was_imported  -- was in the target before, and was deleted there
from decided
left join {mart} as mart on mart.source = decided.source and mart.source_id = decided.source_id
left join {mart} as above on above.source = decided.parent_source and above.source_id = decided.parent_source_id
left join sync_links as links
    on links.workflow = $workflow and links.source = decided.source and links.source_id = decided.source_id
left join {selection} as selected on selected.source = decided.source and selected.source_id = decided.source_id
where decided.known_target_id is null
order by decided.level, decided.source, length(decided.source_id), decided.source_id
