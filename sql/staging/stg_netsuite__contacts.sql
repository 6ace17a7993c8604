/*
stg_netsuite__contacts: NetSuite contacts in our names and types.

grain   one row per NetSuite contact internal id; deleted records included
key     contact_id
reads   raw_netsuite__contacts, raw_netsuite__customers, raw_netsuite__leads, raw_netsuite__prospects,
        raw_netsuite__projects, raw_netsuite__contact_addresses
notes   A contact may also belong to a project, vendor or partner: customer_id is then null. through_customer_id is its
        customer, or the customer of its project.
        The address is the contact's own: default billing, else default shipping, else the first one.
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

projects as (select id, customer from raw_netsuite__projects),

addresses as (
    select
        child.*,
        row_number() over (
            partition by child.entity
            order by
                child.defaultbilling = 'T' desc nulls last,
                child.defaultshipping = 'T' desc nulls last,
                try_cast(child.internalid as bigint)
        ) as place
    from raw_netsuite__contact_addresses as child
    inner join source as parent on parent.id = child.entity
    where child._deleted_at is null or parent._deleted_at is not null or child._deletion_evidence = 'absent'
),

renamed as (
    select
        -- ids
        columns('^(id|custentity.*|cseg.*)$'),
        entityid as entity_number,  -- display name in NetSuite
        externalid as external_id,  -- external id, set by another system
        case when company in (select id from customers) then company end as customer_id,  -- its customer; null if it belongs to another record
        case when company in (select id from projects) then company end as project_id,  -- its project; null if it belongs to another record
        subsidiary as subsidiary_id,  -- NetSuite internal id of the subsidiary
        -- descriptions
        salutation,  -- form of address
        firstname as first_name,  -- first name
        middlename as middle_name,  -- middle name
        lastname as last_name,  -- last name
        title,  -- job title
        email,  -- e-mail address
        phone,  -- phone number as entered
        mobilephone as mobile_phone,  -- mobile phone number as entered
        fax,  -- fax number as entered
        comments,  -- comments
        -- booleans
        case isinactive when 'T' then true when 'F' then false end as is_inactive,  -- inactive in NetSuite; null if not shown
        _deleted_at is not null and _deletion_evidence is distinct from 'absent' as is_deleted,  -- deleted in NetSuite
        coalesce(_deletion_evidence = 'absent', false) as is_missing,  -- no longer shown by NetSuite, without a deletion note
        -- timestamps (UTC)
        try_cast(datecreated as timestamp) as created_at,  -- created in NetSuite, UTC
        try_cast(lastmodifieddate as timestamp) as modified_at,  -- last changed in NetSuite, UTC
        _deleted_at as deleted_at  -- deleted in NetSuite, or found missing, UTC
    from source
),

joined as (
    select
        renamed.*,
        coalesce(renamed.customer_id, projects.customer) as through_customer_id,  -- its customer, or the customer of its project
        addresses.addr1 as address_line1,  -- first address line
        addresses.addr2 as address_line2,  -- second address line
        addresses.addr3 as address_line3,  -- third address line
        addresses.city,  -- city
        addresses.state,  -- state or province
        addresses.zip,  -- postal code
        addresses.country as country_code  -- two-letter ISO 3166 code
    from renamed
    left join projects on projects.id = renamed.project_id
    left join addresses on addresses.entity = renamed.id and addresses.place = 1
)

select * rename (id as contact_id) from joined
