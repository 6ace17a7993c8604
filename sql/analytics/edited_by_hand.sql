/*
edited_by_hand: Values in a target that our last write does not explain: edited there by someone else.

grain   one row per workflow, record, field and edit that was found
key     workflow, source, source_id, field, found_at
reads   sync_links, sync_decisions, sync_attempts, sync_runs, sync_inputs, lineage_columns
notes   Who edited it is not known to Millpond: the target's own log has it. `open` edits are in the target as it was last
        read; `restored` ones were overwritten by a run. A value is null where it is blank, encrypted, or not part of this
        file. A snapshot that hides personal data has no fingerprints of values, so that it shows no open edits.
*/
create or replace view edited_by_hand as
with

targets as (
    select inputs.workflow, run.started_at as read_at
    from sync_inputs as inputs
    join sync_runs as run on run.run_id = inputs.run_id and run.workflow = inputs.workflow
    where inputs.table_name = 'target_' || inputs.workflow
),

current_edits as (
    select edits.*, targets.read_at as found_at, 'open' as state, cast(null as varchar) as found_by
    from ({edited}) as edits
    left join targets using (workflow)
),

sent as (
    select workflow, source, source_id, target_id, run_id, seen_at, position,
        case when json_valid(image) then from_json(image, '[{"field": "VARCHAR", "before": "VARCHAR", "after": "VARCHAR"}]') end
            as changes
    from sync_attempts
    where state = 'intent' and action in ('update', 'reactivate')
),

decided as (
    select workflow, source, source_id, from_run, action, reason, coalesce(from_position, 0) as from_position
    from sync_decisions
),

-- runs that decide the same one after the other share a row of sync_decisions, and each of them found an edit;
-- a run that died has left no decisions, so that those before it are of another run
found as (
    select
        sent.*,
        unnest(string_split(regexp_extract(decision.reason, 'edited in the target[^:;]*: ([^;]*)', 1), ', ')) as field
    from (
        select sent.*, run.started_at,
            case when own.from_run is not null then {'action': own.action, 'reason': own.reason}
                when run.state in ('finished', 'partial', 'halted') then {'action': kept.action, 'reason': kept.reason}
                end as decision
        from sent
        left join sync_runs as run on run.run_id = sent.run_id and run.workflow = sent.workflow
        asof left join decided as kept
            on kept.workflow = sent.workflow and kept.source = sent.source and kept.source_id = sent.source_id
            and kept.from_position <= sent.position
        left join decided as own
            on own.workflow = sent.workflow and own.source = sent.source and own.source_id = sent.source_id
            and own.from_run = sent.run_id
    ) as sent
    where decision.action in ('update', 'reactivate') and contains(decision.reason, 'edited in the target')
),

overwritten as (
    select
        found.workflow, found.source, found.source_id, found.target_id, found.field,
        any_value(change.after) as before, any_value(change.before) as after,
        cast(null as varchar) as target_updated_at,
        (
            select max(earlier.seen_at) from sync_attempts as earlier
            where earlier.workflow = found.workflow and earlier.source = found.source
                and earlier.source_id = found.source_id and earlier.state in ('confirmed', 'found')
                and earlier.position < found.position and earlier.run_id <> found.run_id
        ) as edited_after,
        coalesce(found.started_at, found.seen_at) as found_at, 'restored' as state, found.run_id as found_by
    from found
    left join unnest(found.changes) as each(change) on change.field = found.field
    group by all
)

select
    workflow,  -- the workflow
    source,  -- kind of NetSuite record
    source_id,  -- NetSuite internal id
    target_id,  -- internal id of the target's record
    field,  -- field of the target record
    before,  -- value that our last write left there
    after,  -- value that someone else put there
    edited_after,  -- time of our last write of the record, UTC: the edit is later
    found_at,  -- when the run that found it began, UTC: the edit is earlier
    target_updated_at,  -- time of the last change as the target shows it, if it does
    'unknown' as edited_by,  -- who: the target's log knows
    state,  -- open, or restored by the run that found it
    found_by  -- run that overwrote it; null: it is open
from (
    select workflow, source, source_id, target_id, field, before, after, target_updated_at, edited_after, found_at, state, found_by
    from current_edits
    union all by name
    select * from overwritten
)
