/*
quarantine_by_cause: What holds records back, the most frequent cause first.

grain   one row per workflow, action and cause
key     workflow, source, action, reason_code
reads   sync_decisions
notes   Only what waits for somebody: quarantined, blocked, ambiguous and failed records.
*/
create or replace view quarantine_by_cause as
select
    workflow,  -- the workflow
    source,  -- kind of NetSuite record
    action,  -- quarantined, blocked, ambiguous or failed
    reason_code,  -- the cause, as a code
    any_value(reason) as example,  -- the reason of one of them, in words
    count(*) as records,  -- records held back
    min(from_at) as since,  -- since when the longest one waits, UTC
    (list(source_id order by from_at, source_id))[:5] as first_ids  -- NetSuite ids of those that wait longest, five at most
from sync_decisions
where to_run is null and action in ('quarantined', 'blocked', 'ambiguous', 'failed')
group by workflow, source, action, reason_code
order by records desc, workflow, source, action, reason_code
