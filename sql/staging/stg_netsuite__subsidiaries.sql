/*
stg_netsuite__subsidiaries: NetSuite subsidiaries in our names and types.

grain   one row per NetSuite subsidiary internal id; deleted records included
key     subsidiary_id
reads   raw_netsuite__subsidiaries
notes   OneWorld accounts only; empty elsewhere.
*/
with

source as (select * from raw_netsuite__subsidiaries),

renamed as (
    select
        -- ids
        id as subsidiary_id,  -- NetSuite internal id
        parent as parent_id,  -- NetSuite internal id of the parent
        externalid as external_id,  -- external id, set by another system
        -- descriptions
        name,  -- name
        coalesce(fullname, name) as full_name,  -- path from the top level
        country as country_code,  -- two-letter ISO 3166 code
        currency as currency_id,  -- NetSuite internal id of the base currency
        case iselimination when 'T' then true when 'F' then false end as is_elimination,  -- used only for eliminations in consolidation; null if not shown
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
