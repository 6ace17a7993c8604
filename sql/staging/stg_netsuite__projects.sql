/*
stg_netsuite__projects: NetSuite projects (jobs) in our names and types.

grain   one row per NetSuite job internal id; deleted records included
key     project_id
reads   raw_netsuite__projects, raw_netsuite__customers, raw_netsuite__leads, raw_netsuite__prospects,
        raw_netsuite__customer_subsidiaries, raw_netsuite__currencies
notes   NetSuite's `parent` is the customer or, for a sub-project, its parent project; only known projects count. Of a
        parent that NetSuite does not show, `unshown_parent_id` is the id: workflows that use the parent hold the project.
        SuiteQL has no subsidiary of a project, so `subsidiary_id` is the customer's primary subsidiary.
        Custom fields keep NetSuite's names. If the metadata catalog lists their types, check boxes are booleans,
        numbers, dates and times (UTC) are typed, a multi-select is a list of ids, and lists and records are ids as
        text. Otherwise, or if a value does not fit the type, a field is text as NetSuite sends it.
*/
with

source as (select * from raw_netsuite__projects),

customers as (
    select id, _deleted_at from raw_netsuite__customers
    union all
    select id, _deleted_at from raw_netsuite__leads
    union all
    select id, _deleted_at from raw_netsuite__prospects
),

subsidiaries as (
    select
        child.entity,
        coalesce(
            max(child.subsidiary) filter (child._deleted_at is null or parent._deleted_at is not null),
            max_by(child.subsidiary, child._deleted_at) filter (child._deletion_evidence is not null)
        ) as subsidiary_id
    from raw_netsuite__customer_subsidiaries as child
    inner join customers as parent on parent.id = child.entity
    where child.isprimarysub = 'T'
    group by child.entity
),

renamed as (
    select
        -- ids
        columns('^(id|custentity.*|cseg.*)$'),
        entityid as entity_number,  -- display number or name in NetSuite
        externalid as external_id,  -- external id, set by another system
        customer as customer_id,  -- NetSuite internal id of the customer
        case
            when parent is distinct from customer and parent in (select id from source) then parent
        end as parent_project_id,  -- NetSuite internal id of the parent project; null unless a sub-project
        case
            when
                parent is distinct from customer
                and parent not in (select id from source)
                and parent not in (select id from customers)
                then parent
        end as unshown_parent_id,  -- NetSuite internal id of a parent of which NetSuite shows no record
        entitystatus as status_id,  -- key of the status
        currency as currency_id,  -- NetSuite internal id of the currency
        projectmanager as project_manager_id,  -- NetSuite internal id of the project manager
        -- descriptions
        coalesce(companyname, altname) as project_name,  -- project name
        -- dates
        try_cast(startdate as date) as start_date,  -- first day
        try_cast(enddate as date) as end_date,  -- last day
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
        currencies.symbol as currency_code,  -- ISO 4217 code
        subsidiaries.subsidiary_id  -- internal id of the customer's primary subsidiary
    from renamed
    left join raw_netsuite__currencies as currencies on currencies.id = renamed.currency_id
    left join subsidiaries on subsidiaries.entity = renamed.customer_id
)

select * rename (id as project_id) from joined
