/*
quarantine_by_cause: The causes that hold records back, the most frequent first.

grain   one row per workflow, action and cause
key     workflow, source, action, reason_code
reads   sync_decisions, sync_ignored
notes   Only records that need attention: quarantined, blocked, ambiguous and failed. Records that a person ignores until a
        date are counted in `ignored`, not in `records`; a cause of which all are ignored has no records.
*/
create or replace view quarantine_by_cause as
with

ignored as (select * from sync_ignored where until_on >= cast(now() at time zone 'UTC' as date)),

held as (
    select known.*, ignored.until_on is not null as is_ignored
    from sync_decisions as known
    left join ignored
        on ignored.workflow = known.workflow and ignored.source = known.source and ignored.source_id = known.source_id
        and ignored.action = known.action and ignored.reason_code is not distinct from known.reason_code
    where known.to_run is null and known.action in ('quarantined', 'blocked', 'ambiguous', 'failed')
)

select
    workflow,  -- the workflow
    source,  -- kind of NetSuite record
    action,  -- quarantined, blocked, ambiguous or failed
    reason_code,  -- cause, as a code
    any_value(reason) as example,  -- reason of one of the records, as text
    count(*) filter (not is_ignored) as records,  -- number of records held back, without those that a person ignores
    count(*) filter (is_ignored) as ignored,  -- number of records held back that a person ignores until a date
    min(from_at) as since,  -- time of the oldest decision, UTC
    (list(source_id order by is_ignored, from_position nulls first, from_at, source_id))[:5] as first_ids  -- NetSuite ids of the oldest, at most five; ignored ones last
from held
group by workflow, source, action, reason_code
order by records desc, workflow, source, action, reason_code
