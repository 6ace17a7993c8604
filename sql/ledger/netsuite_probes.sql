/*
netsuite_probes: What was found out about the NetSuite account, remembered for some hours.

grain   one row per question
key     probe
reads   nothing
notes   Questions: `limits` (how many calls may run side by side; null: the role may not know) and `columns <thing>`
        (which columns are left out or read from elsewhere). Server time and time zone are asked at each run.
        Deleting rows makes the next run ask again.
*/
create table if not exists netsuite_probes (
    probe varchar not null,  -- the question
    answer varchar,  -- what was found, as JSON
    asked_at timestamp,  -- when, UTC, by the warehouse's clock
    run_id varchar  -- the run that asked
)
