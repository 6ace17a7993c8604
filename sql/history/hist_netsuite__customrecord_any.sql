/*
hist_netsuite__customrecord_any: All versions of NetSuite custom records of one type.

grain   one row per custom record internal id and version
key     record_id, valid_from
reads   stg_netsuite__customrecord_any
notes   A version is valid from valid_from until valid_to (null: current). Both are times when NetSuite was read, UTC;
        nothing is known of the time before the first read. A save that changes no value opens no version.
*/
select * from stg_netsuite__customrecord_any
