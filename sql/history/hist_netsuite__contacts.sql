/*
hist_netsuite__contacts: Every version of every NetSuite contact that was ever read here.

grain   one row per NetSuite internal id and version
key     contact_id, valid_from
reads   stg_netsuite__contacts
notes   A version holds from valid_from until valid_to (null: still), both the time when NetSuite was read, UTC. What was
        before the first reading is not known. A save that changes no value makes no version.
*/
select * from stg_netsuite__contacts
