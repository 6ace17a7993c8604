/*
customer_subsidiaries: Subsidiaries of NetSuite customers.

grain   one row per customer and subsidiary
key     id
reads   customersubsidiaryrelationship
notes   OneWorld accounts only. It is not documented whether a change here updates the customer's own timestamp, so this
        table is polled separately and read again for each changed customer.
*/
select
    -- ids
    r.id,  -- internal id
    r.entity,  -- internal id of the customer
    r.subsidiary,  -- internal id of the subsidiary
    r.primarycurrency,  -- internal id of the currency in that subsidiary
    r.externalid,  -- external id, set by another system
    -- booleans
    r.isprimarysub,  -- T for the customer's primary subsidiary
    -- timestamps (UTC)
    to_char(sys_extract_utc(r.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- last changed, UTC
from customersubsidiaryrelationship r
where r.id > ?
order by r.id asc
