/*
classifications: NetSuite classifications (classes).

grain   one row per classification internal id
key     id
reads   classification
notes   The table vanishes when the feature is off or the permission is missing.
*/
select
    -- ids
    t.id,  -- internal id
    t.externalid,  -- key given by another system
    t.parent,  -- internal id of the classification above
    t.subsidiary,  -- internal ids of its subsidiaries, parted by comma and blank
    -- descriptions
    t.name,
    t.fullname,  -- path from the top, parted by ' : '
    -- booleans
    t.isinactive,  -- T when switched off
    t.includechildren,  -- T when it counts for the ones below
    -- timestamps (UTC)
    to_char(sys_extract_utc(t.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- last changed, UTC
from classification t
where t.id > ?
order by t.id asc
