/*
netsuite_reads: What each reading of NetSuite took and brought.

grain   one row per run, thing and reading
key     run_id, thing, read_at
reads   nothing
notes   Written together with the rows. Calls of a reading that failed are not in it: nothing of it was kept.
*/
create table if not exists netsuite_reads (
    run_id varchar,  -- Dagster run
    thing varchar,  -- what was read: customers (with leads and prospects), projects, contacts and so on
    read_at timestamp,  -- when it was written, UTC
    mode varchar,  -- how it was read: everything, what changed, or all ids compared
    inserted bigint,  -- rows that are new
    updated bigint,  -- rows that changed
    unchanged bigint,  -- rows that were read and are as they were
    deleted bigint,  -- rows that are gone
    calls bigint,  -- requests to NetSuite, sign-in not counted
    seconds double  -- seconds until the rows were written
)
