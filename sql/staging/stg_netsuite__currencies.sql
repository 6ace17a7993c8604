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
        coalesce(isbasecurrency = 'T', false) as is_base_currency,  -- base currency of the account
        coalesce(isinactive = 'T', false) as is_inactive,  -- inactive in NetSuite
        _deleted_at is not null and _deletion_evidence is distinct from 'absent' as is_deleted,  -- deleted in NetSuite
        coalesce(_deletion_evidence = 'absent', false) as is_missing,  -- no longer shown by NetSuite, without a deletion note
        -- timestamps (UTC)
        try_cast(lastmodifieddate as timestamp) as modified_at,  -- last changed in NetSuite, UTC
        _deleted_at as deleted_at  -- deleted in NetSuite, or found missing, UTC
    from source
)

select * from renamed
