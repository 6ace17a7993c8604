/*
subsidiaries: NetSuite subsidiaries.

grain   one row per subsidiary internal id
key     id
reads   subsidiary
notes   OneWorld accounts only.
*/
select
    -- ids
    t.id,  -- internal id
    t.externalid,  -- key given by another system
    t.parent,  -- internal id of the subsidiary above
    t.currency,  -- internal id of the base currency
    -- descriptions
    t.name,
    t.fullname,  -- path from the top, parted by ' : '
    t.country,  -- ISO 3166 code of two letters
    t.legalname,
    -- booleans
    t.isinactive,  -- T when switched off
    t.iselimination,  -- T for an elimination subsidiary
    -- timestamps (UTC)
    to_char(sys_extract_utc(t.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- last changed, UTC
from subsidiary t
where t.id > ?
order by t.id asc
