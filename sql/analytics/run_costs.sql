/*
run_costs: What each run cost and what it got done, the newest first.

grain   one row per run and workflow
key     run_id, workflow
reads   sync_runs
notes   Calls are requests to the target; one record can take several, and one request many records.
*/
create or replace view run_costs as
select
    run_id,  -- Dagster run
    workflow,  -- the workflow
    started_at,  -- when it began, UTC
    state,  -- read, planned, sending, finished, partial or died
    source_records,  -- records that were decided on
    created + adopted + updated + deactivated + reactivated as written,  -- records that were written
    blocked + quarantined + ambiguous + failed as held_back,  -- records that wait for somebody
    calls,  -- requests to the target, reads and writes
    round(calls / nullif(created + adopted + updated + deactivated + reactivated, 0), 3) as calls_per_written,  -- requests per record written
    sum(calls) over (partition by workflow, date_trunc('day', started_at) order by started_at) as calls_today,  -- of its workflow so far on that day (UTC)
    seconds,  -- seconds of sending
    date_diff('second', started_at, finished_at) as whole_seconds  -- from its begin to its end
from sync_runs
order by started_at desc, workflow
