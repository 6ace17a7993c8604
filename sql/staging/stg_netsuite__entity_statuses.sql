/*
stg_netsuite__entity_statuses: Statuses of NetSuite leads, prospects, customers and projects.

grain   one row per status key; deleted records included
key     status_id
reads   raw_netsuite__entity_statuses
*/
with

source as (select * from raw_netsuite__entity_statuses),

renamed as (
    select
        -- ids
        key as status_id,  -- key of the status
        -- descriptions
        name,  -- status name
        entitytype as entity_type,  -- type of record that it applies to
        -- booleans
        coalesce(inactive = 'T', false) as is_inactive,  -- inactive in NetSuite
        _deleted_at is not null as is_deleted,  -- deleted in NetSuite
        -- timestamps (UTC)
        _deleted_at as deleted_at  -- found missing in NetSuite, UTC
    from source
)

select * from renamed
