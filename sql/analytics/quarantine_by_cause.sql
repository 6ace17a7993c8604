/*
quarantine_by_cause: The causes that hold records back, the most frequent first.

grain   one row per workflow, action and cause
key     workflow, source, action, reason_code
reads   sync_decisions
notes   Only records that need attention: quarantined, blocked, ambiguous and failed.
*/
create or replace view quarantine_by_cause as
select
    workflow,  -- the workflow
    source,  -- kind of NetSuite record
    action,  -- quarantined, blocked, ambiguous or failed
    reason_code,  -- cause, as a code
    any_value(reason) as example,  -- reason of one of the records, as text
    count(*) as records,  -- number of records held back
    min(from_at) as since,  -- time of the oldest decision, UTC
    (list(source_id order by from_position nulls first, from_at, source_id))[:5] as first_ids  -- NetSuite ids of the oldest, at most five
from sync_decisions
where to_run is null and action in ('quarantined', 'blocked', 'ambiguous', 'failed')
group by workflow, source, action, reason_code
order by records desc, workflow, source, action, reason_code
