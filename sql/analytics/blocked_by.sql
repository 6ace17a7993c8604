/*
blocked_by: The root cause of each record that is held back: the decision at the end of its chain of parents.

grain   one row per workflow and source record that is held back
key     workflow, source, source_id
reads   sync_decisions, sync_ignored, lineage_columns
notes   A blocked record waits for its parent, which may wait for its own. The chain ends at the record that is not itself
        blocked by a parent; without such a parent the record is its own cause. A parent is looked up among the records of
        the same workflow, then where a decision has the reason that the blocked record quotes, then in workflows of the
        same system. Of records whose parent is in none of them the last known record is the cause.
*/
create or replace view blocked_by as
with recursive

decided as materialized (
    select
        known.workflow, known.source, known.source_id, known.action, known.reason_code, known.reason, known.from_at,
        parents.parent_source, parents.parent_source_id, systems.system
    from sync_decisions as known
    left join ({parents}) as parents using (workflow, source, source_id)
    left join (select workflow, any_value(split_part(target, '.', 1)) as system from lineage_columns group by workflow)
        as systems using (workflow)
    where known.to_run is null
),

above as materialized (
    select
        child.workflow, child.source, child.source_id, parent.workflow as above_workflow, parent.source as above_source,
        parent.source_id as above_id
    from decided as child
    join decided as parent on parent.source = child.parent_source and parent.source_id = child.parent_source_id
    where child.action = 'blocked' and child.reason_code = 'parent_missing'
        and (parent.workflow = child.workflow or parent.system = child.system)
    qualify row_number() over (
        partition by child.workflow, child.source, child.source_id
        order by
            parent.workflow = child.workflow desc,
            coalesce(ends_with(child.reason, coalesce(parent.reason, parent.action)), false) desc,
            parent.workflow
    ) = 1
),

held as (select * from decided where action in ('quarantined', 'blocked', 'ambiguous', 'failed')),

-- `union` drops rows that were there before, so that a cycle of parents ends the search
chain as (
    select workflow, source, source_id, 0 as steps, workflow as at_workflow, source as at_source, source_id as at_id
    from held
    union
    select chain.workflow, chain.source, chain.source_id, chain.steps + 1, above.above_workflow, above.above_source,
        above.above_id
    from chain
    join above on above.workflow = at_workflow and above.source = at_source and above.source_id = at_id
    where chain.steps < 50
),

roots as (
    select workflow, source, source_id, max(steps) as steps,
        arg_max({'workflow': at_workflow, 'source': at_source, 'source_id': at_id}, steps) as root
    from chain
    group by all
),

-- what the last run wrote is in the target now
settled as (
    select
        workflow, source, source_id,
        case when is_sent or action = 'deactivate' then 'unchanged' else action end as action,
        case when is_sent then 'identical' else reason_code end as reason_code,
        case when is_sent then 'the target already has these values' else reason end as reason
    from (select *, action in ('create', 'adopt', 'update', 'reactivate') as is_sent from decided)
),

ignored as (
    select workflow, source, source_id, action, reason_code, until_on
    from sync_ignored
    where until_on >= cast(now() at time zone 'UTC' as date)
)

select
    held.workflow,  -- the workflow
    held.source,  -- kind of NetSuite record
    held.source_id,  -- NetSuite internal id
    held.action,  -- quarantined, blocked, ambiguous or failed
    held.reason_code,  -- the record's own reason, as a code
    held.reason,  -- the record's own reason, as text
    held.from_at as since,  -- time of that decision, UTC
    roots.steps,  -- number of parents between the record and the cause; 0: the record is its own cause
    root.workflow as root_workflow,  -- workflow of the record at the end of the chain
    root.source as root_source,  -- kind of that record
    root.source_id as root_source_id,  -- NetSuite internal id of that record
    root.action as root_action,  -- decision on it
    root.reason_code as root_code,  -- root cause, as a code
    root.reason as root_reason,  -- root cause, as text
    ignored.until_on as ignored_until  -- last day on which a person ignores the record; null: no one does
from held
join roots using (workflow, source, source_id)
join settled as root
    on root.workflow = roots.root.workflow and root.source = roots.root.source and root.source_id = roots.root.source_id
left join ignored
    on ignored.workflow = held.workflow and ignored.source = held.source and ignored.source_id = held.source_id
    and ignored.action = held.action and ignored.reason_code is not distinct from held.reason_code
