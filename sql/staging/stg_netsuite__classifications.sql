/*
stg_netsuite__classifications: NetSuite classifications (classes) in our names and types.

grain   one row per NetSuite classification internal id; deleted records included
key     classification_id
reads   raw_netsuite__classifications
notes   `full_name` is the path from the top level, separated by ' : '.
*/
with

source as (select * from raw_netsuite__classifications),

renamed as (
    select
        -- ids
        id as classification_id,  -- NetSuite internal id
        parent as parent_id,  -- NetSuite internal id of the parent
        externalid as external_id,  -- external id, set by another system
        -- descriptions
        name,  -- name
        coalesce(fullname, name) as full_name,  -- path from the top level
        -- booleans
        case isinactive when 'T' then true when 'F' then false end as is_inactive,  -- inactive in NetSuite; null if not shown
        _deleted_at is not null and _deletion_evidence is distinct from 'absent' as is_deleted,  -- deleted in NetSuite
        coalesce(_deletion_evidence = 'absent', false) as is_missing,  -- no longer shown by NetSuite, without a deletion note
        -- timestamps (UTC)
        try_cast(lastmodifieddate as timestamp) as modified_at,  -- last changed in NetSuite, UTC
        _deleted_at as deleted_at  -- deleted in NetSuite, or found missing, UTC
    from source
)

select * from renamed
