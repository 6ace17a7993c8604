/*
customers: NetSuite customers, leads and prospects.

grain   one row per customer internal id
key     id
reads   customer
notes   Leads, prospects and customers are rows of one table; a conversion keeps the id and changes `searchstage`.
        Calculated columns (balances, oncredithold) are slow to read and left out.
*/
select
    -- ids
    c.id,  -- internal id
    c.entityid,  -- display number or name
    c.entitynumber,  -- sequence number
    c.externalid,  -- external id, set by another system
    c.parent,  -- internal id of the parent customer
    c.category,  -- internal id of the customer category
    c.entitystatus,  -- key of the entity status
    c.currency,  -- internal id of the primary currency
    c.terms,  -- internal id of the payment terms
    c.salesrep,  -- internal id of the sales representative
    c.defaultbillingaddress,  -- key of the default billing address
    c.defaultshippingaddress,  -- key of the default shipping address
    -- descriptions
    c.searchstage,  -- Lead, Prospect or Customer
    c.altname,  -- name without the number
    c.companyname,  -- company name
    c.salutation,
    c.firstname,
    c.middlename,
    c.lastname,
    c.title,  -- job title of an individual
    c.email,
    c.phone,
    c.mobilephone,
    c.fax,
    c.url,
    c.comments,
    c.accountnumber,  -- account number
    c.language,
    -- numbers
    c.creditlimit,  -- credit limit
    -- booleans
    c.isperson,  -- T for an individual
    c.isinactive,  -- T if inactive
    -- timestamps (UTC)
    to_char(sys_extract_utc(c.datecreated), 'YYYY-MM-DD HH24:MI:SS') as datecreated,  -- created, UTC
    to_char(sys_extract_utc(c.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- last changed, UTC
from customer c
where c.id > ?
order by c.id asc
