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

found as (
    select
        workflow, source, source_id, target_id, from_run, from_at, from_position,
        unnest(string_split(regexp_extract(reason, 'edited in the target[^:;]*: ([^;]*)', 1), ', ')) as field
    from sync_decisions
    where action in ('update', 'reactivate') and contains(reason, 'edited in the target')
),

sent as (
    select workflow, source, source_id, run_id, position,
        case when json_valid(image) then from_json(image, '[{"field": "VARCHAR", "before": "VARCHAR", "after": "VARCHAR"}]') end
            as changes
    from sync_attempts
    where state = 'intent'
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
                and earlier.position < found.from_position and earlier.run_id <> found.from_run
        ) as edited_after,
        found.from_at as found_at, 'restored' as state, found.from_run as found_by
    from found
    left join sent
        on sent.workflow = found.workflow and sent.source = found.source and sent.source_id = found.source_id
        and sent.run_id = found.from_run
    left join unnest(sent.changes) as each(change) on change.field = found.field
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
