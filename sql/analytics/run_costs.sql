/*
run_costs: Requests, seconds and results of each run, newest first: a row per workflow, and one for NetSuite.

grain   one row per run and workflow, and one per run that read NetSuite
key     run_id, workflow
reads   sync_runs, netsuite_reads
notes   Calls are requests; a record can take several, and a request can carry many records. NetSuite limits concurrent
        requests, not their number, so it has no daily quota.
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
        -- a run that only planned counts what it would write
        case when state = 'planned' then 0 else created + adopted + updated + deactivated + reactivated end as written,
        blocked + quarantined + ambiguous + failed as held_back, deferred, calls, calls_left, seconds
    from sync_runs
    union all
    select run_id, 'netsuite', started_at, finished_at, 'read', source_records, written, null, null, calls, null, seconds
    from reading
)

select
    run_id,  -- Dagster run
    workflow,  -- the workflow; netsuite: the extraction
    started_at,  -- start, UTC
    state,  -- read, planned, sending, finished, partial or died
    cast(source_records as bigint) as source_records,  -- records decided on; for NetSuite: rows read
    cast(written as bigint) as written,  -- records written to the target; for NetSuite: to the warehouse
    held_back,  -- records that need attention
    deferred,  -- records that the next run sends: the daily call quota was used up
    cast(calls as bigint) as calls,  -- number of requests, reads and writes
    round(calls / nullif(written, 0), 3) as calls_per_written,  -- requests per record written
    cast(sum(calls) over (partition by workflow, date_trunc('day', started_at) order by started_at) as bigint) as calls_today,  -- requests of this workflow so far on that day (UTC)
    calls_left,  -- rest of the target's daily quota at the end of the run; null: no quota
    seconds,  -- seconds of sending; for NetSuite: of reading and loading
    date_diff('second', started_at, finished_at) as total_seconds  -- seconds from start to end
from lines
order by started_at desc, workflow
