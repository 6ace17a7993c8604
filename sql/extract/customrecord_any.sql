/*
customrecord_any: NetSuite custom records of one type.

grain   one row per custom record internal id
key     id
reads   customrecord_any
notes   Template for all types of custom records: for a workflow that uses `customrecord_<type>` as source or lookup,
        the type's id replaces `customrecord_any`. Custom fields are added from the workflow.
*/
select
    -- ids
    t.id,  -- internal id
    t.externalid,  -- external id, set by another system
    t.owner,  -- internal id of the owner, an employee
    -- descriptions
    t.name,  -- display name; missing if the type has none
    -- booleans
    t.isinactive,  -- T if inactive
    -- timestamps (UTC)
    to_char(sys_extract_utc(t.created), 'YYYY-MM-DD HH24:MI:SS') as created,  -- created, UTC
    to_char(sys_extract_utc(t.lastmodified), 'YYYY-MM-DD HH24:MI:SS') as lastmodified  -- last changed, UTC
from customrecord_any t
where t.id > ?
order by t.id asc
