/*
netsuite_capabilities: Capabilities of the NetSuite account, cached for some hours.

grain   one row per capability
key     capability
reads   nothing
notes   Capabilities: `limits` (number of concurrent calls; null: the role may not read it) and `columns <record type>`
        (columns that are left out or read from another table). Server time and time zone are read in every run.
        After rows are deleted, the next run checks again.
*/
create table if not exists netsuite_capabilities (
    capability varchar not null,  -- what was checked
    answer varchar,  -- result, as JSON
    checked_at timestamp,  -- when, UTC, by the warehouse's clock
    run_id varchar  -- run that checked
)
