/*
locations: NetSuite locations.

grain   one row per location internal id
key     id
reads   location
notes   NetSuite hides the table if the feature is off or the permission is missing.
*/
select
    -- ids
    t.id,  -- internal id
    t.externalid,  -- external id, set by another system
    t.parent,  -- internal id of the parent location
    t.subsidiary,  -- internal ids of its subsidiaries, separated by comma and space
    -- descriptions
    t.name,
    t.fullname,  -- path from the top level, separated by ' : '
    -- booleans
    t.isinactive,  -- T if inactive
    t.includechildren,  -- T if it includes its children
    -- timestamps (UTC)
    to_char(sys_extract_utc(t.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- last changed, UTC
from location t
where t.id > ?
order by t.id asc
