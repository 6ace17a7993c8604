/*
hist_netsuite__customers: Every version of every NetSuite customer, lead and prospect that was ever read here.

grain   one row per NetSuite internal id and version
key     customer_id, valid_from
reads   stg_netsuite__customers
notes   A version holds from valid_from until valid_to (null: still), both the time when NetSuite was read, UTC. What was
        before the first reading is not known. A save that changes no value makes no version. A lead that becomes a customer is a new version of the same id: stage tells which it was when.
*/
select * from stg_netsuite__customers
