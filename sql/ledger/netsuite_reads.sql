/*
netsuite_reads: Cost and result of each extraction from NetSuite.

grain   one row per run, record type and extraction
key     run_id, record_type, read_at
reads   nothing
notes   Written in the same transaction as the rows. A failed extraction writes no row, so its calls are not counted.
        `_reading` of a raw row is the number of the reading that last showed its values.
*/
create table if not exists netsuite_reads (
    run_id varchar,  -- Dagster run
    record_type varchar,  -- what was read: customers (with leads and prospects), projects, contacts and so on
    read_at timestamp,  -- when the rows were written, UTC
    mode varchar,  -- full, incremental, full_table (no timestamp to filter by), missing (no such table) or selected (by id)
    inserted bigint,  -- new rows
    updated bigint,  -- changed rows
    unchanged bigint,  -- rows that were read without a change
    deleted bigint,  -- deleted rows
    calls bigint,  -- requests to NetSuite, without sign-in
    seconds double,  -- seconds until the rows were written
    warnings varchar[],  -- what did not stop the read: missing columns, repaired values, unknown stages
    reading bigint,  -- number of the reading, by the order in which they were written
    began_after bigint,  -- reading that had been written last when this one began
    netsuite_at timestamp,  -- NetSuite's time before the first query, UTC: the values are at least as new
    verified bigint,  -- rows that were read again by value although nothing reported a change
    unreported bigint,  -- changed rows whose date of change had not moved
    listed boolean  -- all ids were compared with NetSuite's, so that rows it no longer lists were noticed
)
