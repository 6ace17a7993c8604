/*
selection: The records that an import may create.

grain   one row per selected source record
key     source, source_id
reads   sync_picks, {mart}
notes   What was picked, or everything that the workflow lets through, and the ancestors of either: a project comes with
        its customer. A record that is picked and cannot be delivered is here as well; the plan says why not.
*/
with recursive

chosen as (
    select mart.source, mart.source_id, mart.parent_source, mart.parent_source_id, true as is_picked
    from {mart} as mart
    where
        if(
            $everything,
            mart.disposition = 'deliver',
            (mart.source, mart.source_id) in (select (source, source_id) from sync_picks where workflow = $workflow)
        )
    union
    select above.source, above.source_id, above.parent_source, above.parent_source_id, false
    from chosen
    inner join {mart} as above on above.source = chosen.parent_source and above.source_id = chosen.parent_source_id
),

named as (
    select source, source_id, bool_or(is_picked) as is_picked from chosen group by source, source_id
)

select
    mart.source,  -- staging table without its prefix
    mart.source_id,  -- NetSuite internal id
    mart.{label} as label,  -- what people know it by
    mart.level,  -- depth in the tree; 1 is the top
    mart.parent_source,  -- source of the parent record
    mart.parent_source_id,  -- NetSuite internal id of the parent record
    case
        when not named.is_picked then 'ancestor'
        else coalesce(picks.picked_by, 'everything')
    end as selected_by,  -- id, search or everything: how it was picked; ancestor: it comes along with what was
    mart.disposition  -- deliver, retire, skip or quarantine: what the mapping makes of it
from named
inner join {mart} as mart on mart.source = named.source and mart.source_id = named.source_id
left join sync_picks as picks
    on picks.workflow = $workflow and picks.source = named.source and picks.source_id = named.source_id
order by mart.level, mart.source, length(mart.source_id), mart.source_id
