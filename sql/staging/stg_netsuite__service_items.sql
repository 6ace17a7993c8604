/*
stg_netsuite__service_items: NetSuite service items in our names and types.

grain   one row per service item internal id; deleted records included
key     item_id
reads   raw_netsuite__service_items
notes   Custom fields keep NetSuite's names and have types as in stg_netsuite__customers.
*/
with

source as (select * from raw_netsuite__service_items),

renamed as (
    select
        -- ids
        columns('^(id|custitem.*|cseg.*)$'),
        externalid as external_id,  -- external id, set by another system
        parent as parent_id,  -- NetSuite internal id of the parent item
        class as classification_id,  -- NetSuite internal id of the class
        department as department_id,  -- NetSuite internal id of the department
        location as location_id,  -- NetSuite internal id of the location
        -- descriptions
        itemid as item_number,  -- display name or number
        displayname as display_name,  -- name in lists
        coalesce(fullname, itemid) as full_name,  -- path from the top level
        description,  -- description
        subtype as item_subtype,  -- Sale, Purchase or Resale
        -- booleans
        case isinactive when 'T' then true when 'F' then false end as is_inactive,  -- inactive in NetSuite; null if not shown
        _deleted_at is not null and _deletion_evidence is distinct from 'absent' as is_deleted,  -- deleted in NetSuite
        coalesce(_deletion_evidence = 'absent', false) as is_missing,  -- no longer shown by NetSuite, without a deletion note
        -- timestamps (UTC)
        try_cast(createddate as timestamp) as created_at,  -- created in NetSuite, UTC
        try_cast(lastmodifieddate as timestamp) as modified_at,  -- last changed in NetSuite, UTC
        _deleted_at as deleted_at  -- deleted in NetSuite, or found missing, UTC
    from source
)

select * rename (id as item_id) from renamed
