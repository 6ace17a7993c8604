/*
customrecord_any: NetSuite custom records of one type.

grain   one row per custom record internal id
key     id
reads   customrecord_any
notes   This file stands for every type of custom record: a workflow that names `customrecord_<type>` as its source, or looks
        values up in it, has the type's id put in place of `customrecord_any`. Its own fields are added from the workflow.
*/
select
    -- ids
    t.id,  -- internal id
    t.externalid,  -- key given by another system
    t.owner,  -- internal id of the employee who owns it
    -- descriptions
    t.name,  -- name that people see; missing where the type has none
    -- booleans
    t.isinactive,  -- T when switched off
    -- timestamps (UTC)
    to_char(sys_extract_utc(t.created), 'YYYY-MM-DD HH24:MI:SS') as created,  -- created, UTC
    to_char(sys_extract_utc(t.lastmodified), 'YYYY-MM-DD HH24:MI:SS') as lastmodified  -- last changed, UTC
from customrecord_any t
where t.id > ?
order by t.id asc
