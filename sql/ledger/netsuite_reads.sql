/*
netsuite_reads: Cost and result of each extraction from NetSuite.

grain   one row per run, record type and extraction
key     run_id, record_type, read_at
reads   nothing
notes   Written in the same transaction as the rows. A failed extraction writes no row, so its calls are not counted.
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
    warnings varchar[]  -- what did not stop the read: missing columns, repaired values, unknown stages
)
