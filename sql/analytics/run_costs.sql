/*
run_costs: What each run cost and what it got done, the newest first: a line for each workflow, and one for NetSuite.

grain   one row per run and workflow, and one per run that read NetSuite
key     run_id, workflow
reads   sync_runs, netsuite_reads
notes   Calls are requests; one record can take several, and one request many records. NetSuite limits how many go side
        by side, not how many there are: it has no allowance that could be used up.
*/
create or replace view run_costs as
with

reading as (
    select
        run_id, min(read_at - to_microseconds(cast(seconds * 1000000 as bigint))) as started_at,
        max(read_at) as finished_at, sum(inserted + updated + unchanged) as source_records,
        sum(inserted + updated + deleted) as written, sum(calls) as calls, sum(seconds) as seconds
    from netsuite_reads
    group by run_id
),

lines as (
    select
        run_id, workflow, started_at, finished_at, state, source_records,
        created + adopted + updated + deactivated + reactivated as written,
        blocked + quarantined + ambiguous + failed as held_back, calls, calls_left, seconds
    from sync_runs
    union all
    select run_id, 'netsuite', started_at, finished_at, 'read', source_records, written, null, calls, null, seconds
    from reading
)

select
    run_id,  -- Dagster run
    workflow,  -- the workflow; netsuite: what the run read
    started_at,  -- when it began, UTC
    state,  -- read, planned, sending, finished, partial or died
    cast(source_records as bigint) as source_records,  -- records that were decided on; of NetSuite: rows that were read
    cast(written as bigint) as written,  -- records that were written: in the target; of NetSuite: in the warehouse
    held_back,  -- records that wait for somebody
    cast(calls as bigint) as calls,  -- requests, reads and writes
    round(calls / nullif(written, 0), 3) as calls_per_written,  -- requests per record written
    cast(sum(calls) over (partition by workflow, date_trunc('day', started_at) order by started_at) as bigint) as calls_today,  -- of its workflow so far on that day (UTC)
    calls_left,  -- calls that the target's allowance of the day had left when the run ended; null: it has none
    seconds,  -- seconds of sending; of NetSuite: of reading and loading
    date_diff('second', started_at, finished_at) as whole_seconds  -- from its begin to its end
from lines
order by started_at desc, workflow
