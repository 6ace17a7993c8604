"""The prefilter's queries; names in braces stand for its tables and for conditions that it shares with `decide`."""

from assets.delivery.diff.parents import ABSENT, PRESENT, RETIRED
from assets.delivery.schemas import BLOCK, DELIVER, HOLD, LEFT_SILENTLY, QUARANTINE, RETIRE, SKIP, UNCERTAIN
from assets.delivery.target import TOP

SELECT_UNCHANGED = f"""
with

linked as (select source, source_id, target_id, parent_target_id from sync_links where workflow = $workflow),

-- records of ours that nothing is sent of: an edit in the target is found here, or nowhere
edited as (
    select link.source, link.source_id
    from sync_links as link
    join {{desired}} as desired using (source, source_id)
    join {{mart}} as mart on mart.rowid = desired.place
    join {{target_state}} as shown on shown.target_id = link.target_id
    where link.workflow = $workflow and desired.disposition <> '{DELIVER}' and {{edited}}
),

shared_keys as (
    select key from {{desired}} where key is not null group by key having count(*) > 1
    union all
    select external_id from {{actual}} where external_id is not null group by external_id having count(*) > 1
)

select
    desired.place, source, source_id, desired.disposition, desired.parent_source, desired.parent_source_id,
    desired.level, actual.target_id,
    case
        when desired.disposition = '{RETIRE}' then '{RETIRED}'
        when actual.target_id is null then '{ABSENT}'
        else '{PRESENT}'
    end as state,
    case
        when desired.disposition = '{DELIVER}' and source in ({{parented}})
        then coalesce(
            actual.parent_id, linked.parent_target_id, if(linked.target_id = actual.target_id, '{TOP}', null)
        )
    end as known_parent,
    -- a record that is switched off stays where it is
    case
        when desired.disposition = '{RETIRE}' and actual.target_id is not null
        then nullif(
            coalesce(
                actual.parent_id, linked.parent_target_id, if(linked.target_id = actual.target_id, '{TOP}', null)
            ), '{UNCERTAIN}'
        )
    end as kept_parent
from {{desired}} as desired
left join {{actual}} as actual on actual.external_id = desired.key
left join linked using (source, source_id)
anti join shared_keys on shared_keys.key = desired.key
anti join {{facts}} using (source, source_id)
anti join edited using (source, source_id)
where
    (
        linked.target_id is not distinct from actual.target_id
        -- a key on the record of another one was moved or copied
        or linked.target_id is null
        and actual.target_id not in (select target_id from linked where target_id is not null)
    )
    and case desired.disposition
        when '{DELIVER}'
        then desired.is_valid and {{confirmed}} and actual.target_id is not null and coalesce({{equal}}, false)
        when '{RETIRE}'
        then actual.target_id is null or (actual.is_active = false and coalesce(actual.is_switched_off, false))
        when '{HOLD}'
        then actual.target_id is null or actual.is_active = false
        when '{SKIP}'
        then actual.target_id is null or actual.is_active = false or desired.reason_code in {LEFT_SILENTLY}
        else desired.disposition in ('{QUARANTINE}', '{BLOCK}')
    end
"""

DROP_AFFECTED = """
delete from {unchanged}
where place in (
    select place
    from {unchanged} as child
    left join ({parents}) as parent
        on of_source = parent_source and of_id = parent_source_id and of_level < level
    where (parent_source_id is not null and of_id is null) or {affected}
)
"""

INSERT_UNCHANGED = """
insert into {plan} by name
with decided as (
    select
        mart.source, mart.source_id, mart.disposition, mart.reason_code, mart.reason, mart.parent_source,
        mart.parent_source_id, mart.level, mart.payload_hash, mart.source_hash, unchanged.target_id,
        nullif(coalesce(unchanged.kept_parent, parent.parent_target_id), '{top}') as parent_target_id
    from {mart} as mart
    join {unchanged} as unchanged on unchanged.place = mart.rowid
    left join ({parents}) as parent
        on parent.of_source = unchanged.parent_source and parent.of_id = unchanged.parent_source_id
)
select
    * exclude (disposition, reason_code, reason),
    {action} as action,
    {reason_code} as reason_code,
    {reason} as reason,
    if(target_id is null, null, 'external_id') as matched_by,
    cast([] as struct(field varchar, "before" varchar, "after" varchar)[]) as changes,
    null as payload,
    {stamps}
from decided
"""
