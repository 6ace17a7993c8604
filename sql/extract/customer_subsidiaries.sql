/*
customer_subsidiaries: Which subsidiaries a customer belongs to.

grain   one row per customer and subsidiary
key     id
reads   customersubsidiaryrelationship
notes   OneWorld accounts only. Whether a change here moves the customer's own time stamp is not documented, so this
        table is polled by itself and read again for each changed customer.
*/
select
    -- ids
    r.id,  -- internal id
    r.entity,  -- internal id of the customer
    r.subsidiary,  -- internal id of the subsidiary
    r.primarycurrency,  -- internal id of the currency there
    r.externalid,  -- key given by another system
    -- booleans
    r.isprimarysub,  -- T for the customer's primary subsidiary
    -- timestamps (UTC)
    to_char(sys_extract_utc(r.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- last changed, UTC
from customersubsidiaryrelationship r
where r.id > ?
order by r.id asc
