/*
hist_netsuite__service_items: All versions of NetSuite service items.

grain   one row per NetSuite internal id and version
key     item_id, valid_from
reads   stg_netsuite__service_items
notes   A version is valid from valid_from until valid_to (null: current). Both are times when NetSuite was read, UTC;
        nothing is known of the time before the first read. A save that changes no value opens no version.
*/
select * from stg_netsuite__service_items
