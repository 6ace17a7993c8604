/*
service_items: NetSuite service items.

grain   one row per item internal id
key     id
reads   item
notes   Read only if a workflow uses it as source or lookup. Other types of items are left out.
*/
select
    -- ids
    t.id,  -- internal id
    t.externalid,  -- external id, set by another system
    t.parent,  -- internal id of the parent item
    t.class,  -- internal id of the class
    t.department,  -- internal id of the department
    t.location,  -- internal id of the location
    -- descriptions
    t.itemid,  -- display name or number
    t.displayname,  -- name in lists
    t.fullname,  -- path from the top level, separated by ' : '
    t.description,
    t.subtype,  -- Sale, Purchase or Resale
    -- booleans
    t.isinactive,  -- T if inactive
    -- timestamps (UTC)
    to_char(sys_extract_utc(t.createddate), 'YYYY-MM-DD HH24:MI:SS') as createddate,  -- created, UTC
    to_char(sys_extract_utc(t.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- last changed, UTC
from item t
where t.itemtype = 'Service'
    and t.id > ?
order by t.id asc
