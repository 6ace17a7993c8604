/*
hist_netsuite__customers: All versions of NetSuite customers, leads and prospects.

grain   one row per NetSuite internal id and version
key     customer_id, valid_from
reads   stg_netsuite__customers
notes   A version is valid from valid_from until valid_to (null: current). Both are times when NetSuite was read, UTC;
        nothing is known of the time before the first read. A save that changes no value opens no version.
        A lead that becomes a customer is a new version of the same id, with another `stage`.
*/
select * from stg_netsuite__customers
