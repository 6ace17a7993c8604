/*
selection: The records that an import may create.

grain   one row per selected source record
key     source, source_id
reads   sync_import_selection, {mart}
notes   The selected records, or all that the workflow delivers, with their ancestors: a project comes with its
        customer. A selected record that cannot be delivered is listed too; the plan has the reason.
*/
with recursive

chosen as (
    select mart.source, mart.source_id, mart.parent_source, mart.parent_source_id, true as is_selected
    from {mart} as mart
    where
        if(
            $imports_all,
            mart.disposition = 'deliver',
            (mart.source, mart.source_id) in (
                select (source, source_id) from sync_import_selection where workflow = $workflow
            )
        )
    union
    select above.source, above.source_id, above.parent_source, above.parent_source_id, false
    from chosen
    inner join {mart} as above on above.source = chosen.parent_source and above.source_id = chosen.parent_source_id
),

records as (
    select source, source_id, bool_or(is_selected) as is_selected from chosen group by source, source_id
)

select
    mart.source,  -- staging table without its prefix
    mart.source_id,  -- NetSuite internal id
    mart.{label} as label,  -- name shown to people
    mart.level,  -- depth in the tree; 1 is the top
    mart.parent_source,  -- source of the parent record
    mart.parent_source_id,  -- NetSuite internal id of the parent record
    case
        when not records.is_selected then 'ancestor'
        else coalesce(selected.selected_by, 'all')
    end as selected_by,  -- id, search or all: how it was selected; ancestor: selected with a record below it
    mart.disposition  -- deliver, retire, skip, quarantine or block: the mapping's result
from records
inner join {mart} as mart on mart.source = records.source and mart.source_id = records.source_id
left join sync_import_selection as selected
    on selected.workflow = $workflow and selected.source = records.source and selected.source_id = records.source_id
order by mart.level, mart.source, length(mart.source_id), mart.source_id
