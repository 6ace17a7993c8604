/*
stg_netsuite__contacts: NetSuite contacts in our names and types.

grain   one row per NetSuite contact internal id; deleted records included
key     contact_id
reads   raw_netsuite__contacts, raw_netsuite__customers, raw_netsuite__leads, raw_netsuite__prospects
notes   A contact may belong to a vendor, partner or project as well: then customer_id is empty.
*/
with

source as (select * from raw_netsuite__contacts),

customers as (
    select id from raw_netsuite__customers
    union all
    select id from raw_netsuite__leads
    union all
    select id from raw_netsuite__prospects
),

renamed as (
    select
        -- ids
        columns('^(id|custentity.*)$'),
        entityid as entity_number,  -- name that people see in NetSuite
        externalid as external_id,  -- key that another system gave the record
        case when company in (select id from customers) then company end as customer_id,  -- its customer, if it has one
        subsidiary as subsidiary_id,  -- NetSuite internal id of the subsidiary
        -- descriptions
        salutation,  -- form of address
        firstname as first_name,  -- first name
        middlename as middle_name,  -- middle name
        lastname as last_name,  -- last name
        title,  -- job title
        email,  -- e-mail address
        phone,  -- phone number as typed
        mobilephone as mobile_phone,  -- mobile phone number as typed
        fax,  -- fax number as typed
        comments,  -- comments
        -- booleans
        coalesce(isinactive = 'T', false) as is_inactive,  -- switched off in NetSuite
        _deleted_at is not null as is_deleted,  -- deleted in NetSuite
        -- timestamps (UTC)
        try_cast(datecreated as timestamp) as created_at,  -- created in NetSuite, UTC
        try_cast(lastmodifieddate as timestamp) as modified_at,  -- last changed in NetSuite, UTC
        _deleted_at as deleted_at  -- deleted in NetSuite, or found missing, UTC
    from source
)

select * rename (id as contact_id) from renamed
