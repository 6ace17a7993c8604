/*
entity_statuses: Statuses of leads, prospects, customers and projects.

grain   one row per status key
key     key
reads   entitystatus
notes   Has no time stamp, and `inactive` instead of `isinactive`.
*/
select
    -- ids
    t.key,  -- key of the status
    -- descriptions
    t.name,
    t.entitytype,  -- the kind of record it is for
    -- booleans
    t.inactive  -- T when switched off
from entitystatus t
where t.key > ?
order by t.key asc
