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
    t.externalid,  -- external id, set by another system
    t.parent,  -- internal id of the parent subsidiary
    t.currency,  -- internal id of the base currency
    -- descriptions
    t.name,
    t.fullname,  -- path from the top level, separated by ' : '
    t.country,  -- two-letter ISO 3166 code
    t.legalname,
    -- booleans
    t.isinactive,  -- T if inactive
    t.iselimination,  -- T for an elimination subsidiary
    -- timestamps (UTC)
    to_char(sys_extract_utc(t.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- last changed, UTC
from subsidiary t
where t.id > ?
order by t.id asc
