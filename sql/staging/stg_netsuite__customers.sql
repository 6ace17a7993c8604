/*
stg_netsuite__customers: NetSuite customers, leads and prospects in our names and types.

grain   one row per NetSuite customer internal id; leads, prospects and deleted records included
key     customer_id
reads   raw_netsuite__customers, raw_netsuite__leads, raw_netsuite__prospects, raw_netsuite__customer_subsidiaries,
        raw_netsuite__addresses, raw_netsuite__currencies, raw_netsuite__entity_statuses
notes   `stage` comes from the raw table: a conversion moves the row. If NetSuite's `searchstage` is empty or another text,
        the type of the status decides; if that is unknown too, `stage` is null, and workflows that use it hold the row.
        The address is the default billing address, else the default shipping address, else the first one; `billing_…`
        and `shipping_…` are the default ones only. A deleted customer keeps its last addresses and subsidiaries, as does one
        that NetSuite no longer shows. NetSuite leaves no note of a subsidiary that was taken from a customer, and a role
        may have stopped seeing it: the primary one is the last that was shown, the others are `missing_subsidiary_ids`.
        Custom fields keep NetSuite's names. If the metadata catalog lists their types, check boxes are booleans,
        numbers, dates and times (UTC) are typed, a multi-select is a list of ids, and lists and records are ids as
        text. Otherwise, or if a value does not fit the type, a field is text as NetSuite sends it.
*/
with

source as (
    select
        -- rows of an unknown stage are in this raw table too
        case
            when upper(trim(customers.searchstage)) = 'CUSTOMER' then 'customer'
            when lower(trim(statuses.entitytype)) in ('customer', 'lead', 'prospect')
                then lower(trim(statuses.entitytype))
        end as stage,
        customers.*
    from raw_netsuite__customers as customers
    left join raw_netsuite__entity_statuses as statuses on statuses.key = customers.entitystatus
    union all by name
    select 'lead' as stage, * from raw_netsuite__leads
    union all by name
    select 'prospect' as stage, * from raw_netsuite__prospects
),

addresses as (
    select
        child.*,
        row_number() over (
            partition by child.entity
            order by
                child.defaultbilling = 'T' desc nulls last,
                child.defaultshipping = 'T' desc nulls last,
                try_cast(child.internalid as bigint)
        ) as place,
        row_number() over (
            partition by child.entity
            order by child.defaultshipping = 'T' desc nulls last, try_cast(child.internalid as bigint)
        ) as shipping_place
    from raw_netsuite__addresses as child
    inner join source as parent on parent.id = child.entity
    where child._deleted_at is null or parent._deleted_at is not null or child._deletion_evidence = 'absent'
),

subsidiaries as (
    select
        entity,
        coalesce(
            max(subsidiary) filter (is_shown and isprimarysub = 'T'),
            max_by(subsidiary, _deleted_at) filter (isprimarysub = 'T')
        ) as subsidiary_id,
        list(distinct subsidiary order by subsidiary) filter (is_shown) as subsidiary_ids,
        list(distinct subsidiary order by subsidiary) filter (not is_shown) as missing_subsidiary_ids
    from (
        select child.*, child._deleted_at is null or parent._deleted_at is not null as is_shown
        from raw_netsuite__customer_subsidiaries as child
        inner join source as parent on parent.id = child.entity
    ) as relations
    where is_shown or _deletion_evidence is not null
    group by entity
),

renamed as (
    select
        -- ids
        columns('^(id|custentity.*|cseg.*)$'),
        parent as parent_customer_id,  -- NetSuite internal id of the parent customer
        entityid as entity_number,  -- display number or name in NetSuite
        externalid as external_id,  -- external id, set by another system
        category as category_id,  -- NetSuite internal id of the customer category
        entitystatus as status_id,  -- key of the status
        currency as currency_id,  -- NetSuite internal id of the primary currency
        terms as terms_id,  -- NetSuite internal id of the payment terms
        defaultbillingaddress as billing_address_id,  -- key of the default billing address
        defaultshippingaddress as shipping_address_id,  -- key of the default shipping address
        salesrep as sales_rep_id,  -- NetSuite internal id of the sales representative
        -- descriptions
        stage,  -- customer, lead or prospect; null if unknown
        companyname as company_name,  -- company name; empty for most individuals
        altname as alt_name,  -- name without the number
        salutation,  -- form of address
        firstname as first_name,  -- first name of an individual
        middlename as middle_name,  -- middle name of an individual
        lastname as last_name,  -- last name of an individual
        title,  -- job title of an individual
        email,  -- e-mail address
        phone,  -- phone number as entered
        mobilephone as mobile_phone,  -- mobile phone number as entered
        fax,  -- fax number as entered
        url,  -- web address
        comments,  -- comments
        accountnumber as account_number,  -- account number
        -- numbers
        try_cast(creditlimit as double) as credit_limit,  -- credit limit, in the customer's currency
        -- booleans
        case isperson when 'T' then true when 'F' then false end as is_person,  -- an individual, not a company; null if not shown
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
        statuses.name as status_name,  -- status name
        currencies.symbol as currency_code,  -- ISO 4217 code of the primary currency
        subsidiaries.subsidiary_id,  -- NetSuite internal id of the primary subsidiary
        subsidiaries.subsidiary_ids,  -- internal ids of all its subsidiaries, sorted as text
        subsidiaries.missing_subsidiary_ids,  -- internal ids of subsidiaries that NetSuite no longer shows for it
        addresses.addr1 as address_line1,  -- first address line
        addresses.addr2 as address_line2,  -- second address line
        addresses.addr3 as address_line3,  -- third address line
        addresses.city,  -- city
        addresses.state,  -- state or province
        addresses.zip,  -- postal code
        addresses.country as country_code,  -- two-letter ISO 3166 code
        billing.addr1 as billing_address_line1,  -- default billing address, first line
        billing.addr2 as billing_address_line2,  -- default billing address, second line
        billing.addr3 as billing_address_line3,  -- default billing address, third line
        billing.city as billing_city,  -- default billing address, city
        billing.state as billing_state,  -- default billing address, state or province
        billing.zip as billing_zip,  -- default billing address, postal code
        billing.country as billing_country_code,  -- default billing address, two-letter ISO 3166 code
        shipping.addr1 as shipping_address_line1,  -- default shipping address, first line
        shipping.addr2 as shipping_address_line2,  -- default shipping address, second line
        shipping.addr3 as shipping_address_line3,  -- default shipping address, third line
        shipping.city as shipping_city,  -- default shipping address, city
        shipping.state as shipping_state,  -- default shipping address, state or province
        shipping.zip as shipping_zip,  -- default shipping address, postal code
        shipping.country as shipping_country_code  -- default shipping address, two-letter ISO 3166 code
    from renamed
    left join raw_netsuite__entity_statuses as statuses on statuses.key = renamed.status_id
    left join raw_netsuite__currencies as currencies on currencies.id = renamed.currency_id
    left join subsidiaries on subsidiaries.entity = renamed.id
    left join addresses on addresses.entity = renamed.id and addresses.place = 1
    left join addresses as billing on billing.entity = renamed.id and billing.place = 1 and billing.defaultbilling = 'T'
    left join addresses as shipping
        on shipping.entity = renamed.id and shipping.shipping_place = 1 and shipping.defaultshipping = 'T'
)

select * rename (id as customer_id) from joined
