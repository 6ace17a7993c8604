/*
stg_netsuite__currencies: NetSuite currencies in our names and types.

grain   one row per NetSuite currency internal id; deleted records included
key     currency_id
reads   raw_netsuite__currencies
*/
with

source as (select * from raw_netsuite__currencies),

renamed as (
    select
        -- ids
        id as currency_id,  -- NetSuite internal id
        externalid as external_id,  -- external id, set by another system
        -- descriptions
        name,  -- name
        symbol as currency_code,  -- ISO 4217 code
        -- booleans
        case isbasecurrency when 'T' then true when 'F' then false end as is_base_currency,  -- base currency of the account; null if not shown
        case isinactive when 'T' then true when 'F' then false end as is_inactive,  -- inactive in NetSuite; null if not shown
        _deleted_at is not null and _deletion_evidence is distinct from 'absent' as is_deleted,  -- deleted in NetSuite
        coalesce(_deletion_evidence = 'absent', false) as is_missing,  -- no longer shown by NetSuite, without a deletion note
        -- timestamps (UTC)
        try_cast(lastmodifieddate as timestamp) as modified_at,  -- last changed in NetSuite, UTC
        _deleted_at as deleted_at  -- deleted in NetSuite, or found missing, UTC
    from source
)

select * from renamed
