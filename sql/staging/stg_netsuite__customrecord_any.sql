/*
stg_netsuite__customrecord_any: NetSuite custom records of one type in our names and types.

grain   one row per custom record internal id; deleted records included
key     record_id
reads   raw_netsuite__customrecord_any
notes   Custom fields keep NetSuite's names and have types as in stg_netsuite__customers.
*/
with

source as (select * from raw_netsuite__customrecord_any),

renamed as (
    select
        -- ids
        columns('^(id|custrecord.*|cseg.*)$'),
        externalid as external_id,  -- external id, set by another system
        owner as owner_id,  -- NetSuite internal id of the owner, an employee
        -- descriptions
        name as record_name,  -- display name
        -- booleans
        case isinactive when 'T' then true when 'F' then false end as is_inactive,  -- inactive in NetSuite; null if not shown
        _deleted_at is not null and _deletion_evidence is distinct from 'absent' as is_deleted,  -- deleted in NetSuite
        coalesce(_deletion_evidence = 'absent', false) as is_missing,  -- no longer shown by NetSuite, without a deletion note
        -- timestamps (UTC)
        try_cast(created as timestamp) as created_at,  -- created in NetSuite, UTC
        try_cast(lastmodified as timestamp) as modified_at,  -- last changed in NetSuite, UTC
        _deleted_at as deleted_at  -- deleted in NetSuite, or found missing, UTC
    from source
)

select * rename (id as record_id) from renamed
