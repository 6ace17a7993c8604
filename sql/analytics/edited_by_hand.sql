/*
edited_by_hand: Values in a target that our last write does not explain: edited there by someone else.

grain   one row per workflow, record, field and edit that was found
key     workflow, source, source_id, field, found_at
reads   sync_links, sync_decisions, sync_attempts, sync_runs, sync_readings, lineage_columns
notes   Who edited it is not known to Millpond: the target's own log has it. `open` edits are in the target as it was last
        read; `restored` ones were overwritten by a run. A value is null where it is blank, encrypted, or not part of this
        file; `before` also where no write of ours is known. What another workflow wrote to the same record is no edit. A snapshot that hides personal data has no fingerprints of values, so that it shows no open edits.
*/
create or replace view edited_by_hand as
with

-- the response to a write shows edits as well
readings as (select workflow, position, read_at, kind from sync_readings where side = 'target'),

targets as (select workflow, arg_max(read_at, position) as read_at from readings group by workflow),

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
        select sent.*, readings.read_at,
            case when own.from_run is not null then {'action': own.action, 'reason': own.reason}
                when run.state in ('finished', 'partial', 'halted') then {'action': kept.action, 'reason': kept.reason}
                end as decision
        from sent
        asof left join (select * from readings where kind <> 'written') as readings
            on readings.workflow = sent.workflow and readings.position < sent.position
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

-- what our writes left there before; an edit after a run's reading, and before its write, is later than its start
left_there as (
    select intent.workflow, intent.source, intent.source_id, intent.run_id, ended.position,
        least(run.started_at, intent.seen_at) as began_at,
        case when json_valid(intent.image) then from_json(intent.image, '[{"field": "VARCHAR", "after": "VARCHAR"}]') end
            as changes
    from sync_attempts as ended
    join sync_attempts as intent on intent.attempt_id = ended.attempt_id and intent.state = 'intent'
    semi join found
        on found.workflow = intent.workflow and found.source = intent.source and found.source_id = intent.source_id
    left join sync_runs as run on run.run_id = intent.run_id and run.workflow = intent.workflow
    where ended.state in ('confirmed', 'found')
),

overwritten as (
    select
        found.workflow, found.source, found.source_id, found.target_id, found.field,
        -- a run that only restores sends what was there; of a value that NetSuite changed as well, an earlier write knows
        case when starts_with(any_value(found.decision.reason), 'edited in the target') then any_value(change.after)
            else arg_max(wrote.after, earlier.position) filter (wrote.field = found.field) end as before,
        any_value(change.before) as after, cast(null as varchar) as target_updated_at,
        arg_max(earlier.began_at, earlier.position) as edited_after,
        coalesce(found.read_at, found.seen_at) as found_at, 'restored' as state, found.run_id as found_by
    from found
    left join unnest(found.changes) as each(change) on change.field = found.field
    left join (select *, unnest(coalesce(changes, [null])) as wrote from left_there) as earlier
        on earlier.workflow = found.workflow and earlier.source = found.source
        and earlier.source_id = found.source_id and earlier.position < found.position
        and earlier.run_id <> found.run_id
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
    edited_after,  -- when the run began that last wrote or compared the record, UTC: the edit is later
    found_at,  -- time of the reading that found it, or of the last one that shows it, UTC: the edit is earlier
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
