/*
hist_netsuite__departments: Every version of every NetSuite department that was ever read here.

grain   one row per NetSuite internal id and version
key     department_id, valid_from
reads   stg_netsuite__departments
notes   A version holds from valid_from until valid_to (null: still), both the time when NetSuite was read, UTC. What was
        before the first reading is not known. A save that changes no value makes no version.
*/
select * from stg_netsuite__departments
