/*
service_items: NetSuite service items.

grain   one row per item internal id
key     id
reads   item
notes   Read only where a workflow names it as its source, or looks values up in it. Other kinds of items stay out.
*/
select
    -- ids
    t.id,  -- internal id
    t.externalid,  -- key given by another system
    t.parent,  -- internal id of the item above
    t.class,  -- internal id of the class
    t.department,  -- internal id of the department
    t.location,  -- internal id of the location
    -- descriptions
    t.itemid,  -- name or number that people see
    t.displayname,  -- name in lists
    t.fullname,  -- path from the top, parted by ' : '
    t.description,
    t.subtype,  -- Sale, Purchase or Resale
    -- booleans
    t.isinactive,  -- T when switched off
    -- timestamps (UTC)
    to_char(sys_extract_utc(t.createddate), 'YYYY-MM-DD HH24:MI:SS') as createddate,  -- created, UTC
    to_char(sys_extract_utc(t.lastmodifieddate), 'YYYY-MM-DD HH24:MI:SS') as lastmodifieddate  -- last changed, UTC
from item t
where t.itemtype = 'Service'
    and t.id > ?
order by t.id asc
