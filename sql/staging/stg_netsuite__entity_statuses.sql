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
        case inactive when 'T' then true when 'F' then false end as is_inactive,  -- inactive in NetSuite; null if not shown
        _deleted_at is not null and _deletion_evidence is distinct from 'absent' as is_deleted,  -- deleted in NetSuite
        coalesce(_deletion_evidence = 'absent', false) as is_missing,  -- no longer shown by NetSuite, without a deletion note
        -- timestamps (UTC)
        _deleted_at as deleted_at  -- deleted in NetSuite, or found missing, UTC
    from source
)

select * from renamed
