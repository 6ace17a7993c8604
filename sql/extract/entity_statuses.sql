/*
entity_statuses: Statuses of leads, prospects, customers and projects.

grain   one row per status key
key     key
reads   entitystatus
notes   No timestamp; `inactive` instead of `isinactive`.
*/
select
    -- ids
    t.key,  -- key of the status
    -- descriptions
    t.name,
    t.entitytype,  -- type of record that it applies to
    -- booleans
    t.inactive  -- T if inactive
from entitystatus t
where t.key > ?
order by t.key asc
