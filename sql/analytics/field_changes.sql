/*
field_changes: Who or what changed the fields of one record, and when: NetSuite, the workflow file, our write, or an edit.

grain   one row per side, record, field and change
key     side, source, source_id, target_id, field, changed_at, from_position
reads   record_versions, sync_readings, sync_runs, sync_decisions, sync_attempts, sync_forgotten, lineage_columns
notes   `from field_changes('suiteprojects__customers', '107', field_name := 'addr_city')`: a workflow, a NetSuite id, and
        a field of the target, or all of them; with `id_of := 'target'` the target's id. A change in the target is our
        write if an attempt wrote the field, and an edit in the target if none of ours explains it; it was made after
        `not_before`, when the reading that did not show it began, or our last write. Who edited it, the target's own
        log has. Whole records are
        the field `(record)`; that its values were forgotten has no side. Times are UTC; NetSuite's columns are those that the workflow maps.
*/
create or replace macro field_changes(workflow_name, record, field_name := null, id_of := 'netsuite') as table (
with

keys as (
    select source, source_id from record_versions
    where id_of = 'netsuite' and side = 'desired' and workflow = workflow_name and source_id = cast(record as varchar)
    union
    select source, source_id from sync_decisions
    where workflow = workflow_name
        and case when id_of = 'target' then target_id else source_id end = cast(record as varchar)
        and (id_of = 'target' or source_number is not distinct from try_cast(record as bigint))
),

-- which of the target's records it was, from which place in the ledger's sequence to which
linked as (
    select source, source_id, target_id, lag(target_id) over of_record is distinct from target_id as is_other,
        case when row_number() over of_record = 1 then 0 else since_position end as since_position,
        coalesce(lead(since_position) over of_record, 9223372036854775807) as until_position
    from (
        select source, source_id, target_id, coalesce(from_position, 0) as since_position
        from sync_decisions semi join keys using (source, source_id)
        where workflow = workflow_name and target_id is not null
            and (id_of = 'target' or source_number is not distinct from try_cast(record as bigint))
    )
    window of_record as (partition by source, source_id order by since_position)
    union all
    select null, null, cast(record as varchar), true, 0, 9223372036854775807
    where id_of = 'target' and not exists (select 1 from keys)
),

mapped as (
    select distinct source_table, source_column
    from lineage_columns
    where workflow = workflow_name and source_column is not null
        and (field_name is null or target_field = field_name)
),

chosen as (
    select versions.* from record_versions as versions semi join keys using (source, source_id)
    where versions.side = 'netsuite' or (versions.side = 'desired' and versions.workflow = workflow_name)
    union all
    select versions.* from record_versions as versions
    where versions.side = 'target' and versions.workflow = workflow_name
        and versions.target_id in (select target_id from linked)
),

followed as (
    select *, lag(fields) over of_record as fields_before, lag(from_position) over of_record as position_before,
        lag(valid_from) over of_record as valid_before, lag(attempt_id) over of_record as attempt_before,
        lag(run_id) over of_record as run_before,
        coalesce(
            lag(to_position) over of_record = from_position, lag(valid_to) over of_record = valid_from, false
        ) as continues,
        coalesce(
            lead(from_position) over of_record = to_position, lead(valid_from) over of_record = valid_to, false
        ) as is_continued
    from chosen
    window of_record as (
        partition by side, source, source_id, target_id order by from_position nulls first, valid_from
    )
),

versions as (
    select followed.* exclude (source, source_id, continues), coalesce(followed.source, linked.source) as source,
        coalesce(followed.source_id, linked.source_id) as source_id,
        continues and coalesce(followed.from_position >= linked.since_position, true) as continues
    from followed
    -- of a target's record that it was not before, the version that it had then is the first
    left join linked
        on linked.target_id = followed.target_id and followed.from_position < linked.until_position and (
            followed.from_position >= linked.since_position
            or (linked.is_other and coalesce(followed.to_position, 9223372036854775807) > linked.since_position)
        )
    where followed.side <> 'target' or linked.target_id is not null
),

runs as (select run_id, started_at from sync_runs where workflow = workflow_name),

-- a reading shows a record as of any time since it began
full_readings as (
    select readings.*, least(runs.started_at, readings.read_at) as began_at
    from sync_readings as readings left join runs using (run_id)
    where workflow = workflow_name and side = 'target' and kind = 'all'
),

intents as (
    select attempt_id, run_id, seen_at
    from sync_attempts
    where state = 'intent' and attempt_id in (select attempt_id from chosen)
),

placed as (
    select versions.*, wrote.run_id as sent_by, readings.fields as read_before,
        case when coalesce(position_before, 0) > coalesce(readings.position, 0)
            then least(valid_before, coalesce(wrote_before.seen_at, began.started_at))
            else readings.began_at end as not_before,
        greatest(coalesce(readings.began_position, 0), coalesce(position_before, 0)) as known_position
    from versions
    asof left join full_readings as readings
        on readings.workflow = versions.workflow and readings.position < versions.from_position
    left join intents as wrote on wrote.attempt_id = versions.attempt_id
    left join intents as wrote_before on wrote_before.attempt_id = versions.attempt_before
    left join runs as began on began.run_id = versions.run_before
),

-- attempts that may have arrived although no version is put down to them
open_attempts as (
    select attempt_id, source, source_id, min(position) as position
    from sync_attempts semi join keys using (source, source_id)
    where workflow = workflow_name and attempt_id not in (select attempt_id from chosen where attempt_id is not null)
        and (id_of = 'target' or source_number is not distinct from try_cast(record as bigint))
    group by all
    having arg_max(state, position) not in ('rejected', 'not_sent', 'absent')
),

named as (
    select placed.*, unnest(case
        when not continues and field_name is null then ['(record)']
        when field_name is null then map_keys(fields)
        else [each for each in map_keys(fields) if each = field_name or side = 'netsuite']
    end) as field
    from placed
),

compared as (
    select *, case when field = '(record)' then '(present)' else fields[field] end as after,
        case when continues then fields_before[field] end as before,
        not continues or not list_contains(map_keys(fields_before), field) or (
            side = 'target' and not starts_with(field, '(')
            and not coalesce(list_contains(from_json(read_before, '["VARCHAR"]'), field), true)
        ) as is_new,
        coalesce(sent, '[]') = '["*"]' or list_contains(
            from_json(coalesce(sent, '[]'), '["VARCHAR"]'),
            case field when '(parent)' then 'parent_id' when '(key)' then 'external_id' when '(active)' then 'is_active'
                else field end
        ) as is_sent,
        exists (
            select 1 from open_attempts as tried
            where tried.source = named.source and tried.source_id = named.source_id
                and tried.position < named.from_position and tried.position >= named.known_position
        ) as is_open
    from named
    where side <> 'netsuite' or field = '(record)' or ('stg_netsuite__' || source, field) in (from mapped)
),

changes as (
    select valid_from as changed_at, from_position, side, source, source_id, target_id, field, before, after,
        case
            when side = 'netsuite' then case when is_new then 'first reading' else 'NetSuite' end
            when side = 'desired' and is_new then 'first mapping'
            when side = 'desired' then case cause
                when 'netsuite' then 'NetSuite' when 'workflow_file' then 'workflow file'
                when 'both' then 'NetSuite and workflow file' when 'forgotten' then 'forgotten'
                else 'looked-up value' end
            when is_sent then 'our write'
            when is_new then 'first reading'
            when is_after_restore or is_open then 'unclear'
            else 'edit in the target'
        end as changed_by,
        case when side = 'target' and not is_sent then not_before end as not_before, saved_at,
        case when side = 'target' and is_sent then coalesce(sent_by, run_id) else run_id end as run_id,
        case when is_sent then attempt_id end as attempt_id
    from compared
    where before is distinct from after
),

ends as (
    select valid_to, to_position, versions.side, versions.source, versions.source_id, versions.target_id, '(record)',
        '(present)', null,
        case when readings.kind = 'forgotten' then 'another account'
            when versions.side = 'target' then 'no longer in the target' else 'no longer read' end,
        null::timestamp, null, readings.run_id, null
    from versions
    left join sync_readings as readings
        on readings.workflow = workflow_name and readings.position = versions.to_position
    where valid_to is not null and not is_continued and field_name is null
),

-- values of all sides, on our side only: the target's own record stays
forgotten as (
    select forgotten_at, position, null, source, source_id, null, '(record)', null, null, 'forgotten', null::timestamp,
        null, null, null
    from sync_forgotten semi join keys using (source, source_id)
)

select * from (select * from changes union all select * from ends union all select * from forgotten)
-- a clock that was set back does not turn places around
order by case when from_position is null then changed_at
    else max(changed_at) over (partition by from_position is null order by from_position) end,
    from_position nulls first, side, field
)
