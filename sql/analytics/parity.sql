/*
parity: The newest comparison of each shadowed workflow: how many records are alike, and why the others differ.

grain   one row per workflow, cause, field and evidence; one row without a cause per workflow has its totals
key     workflow, cause, field, kind, evidence
reads   sync_shadow_periods, sync_shadow_nights, sync_shadow_differences
notes   `millpond shadow report` prints it. A cause is only given with its evidence. Causes: mapping_row (a row of the workflow
        file gives other values), filter (records that only one of the two selects), timing (the other connector has not
        brought the change yet), edited (changed in the target by someone else), incumbent_error (its values are damaged or
        out of date), unknown.
*/
create or replace view parity as
with

nights as (
    select * from sync_shadow_nights
    qualify row_number() over (partition by workflow order by period desc, night desc) = 1
),

periods as (
    select * from sync_shadow_periods
    qualify row_number() over (partition by workflow order by number desc) = 1
),

differences as (
    select
        known.workflow, known.cause, known.field, known.kind, known.evidence,
        count(distinct known.source || ' ' || known.source_id) as records,
        count(*) filter (known.accepted_by is not null) as accepted,
        (list(known.source_id order by try_cast(known.source_id as bigint), known.source_id))[:8] as first_ids,
        min(known.first_at) as since
    from sync_shadow_differences as known
    join nights on nights.workflow = known.workflow and nights.period = known.period
    where known.is_open
    group by all
)

select
    workflow,  -- the workflow
    cause,  -- mapping_row, filter, timing, edited, incumbent_error or unknown; null: the totals of the workflow
    field,  -- field of the target record, or in parentheses what differs of the whole record
    kind,  -- which evidence, as a code
    evidence,  -- the evidence in words
    records,  -- number of records; of the totals: all that were compared
    alike,  -- of the totals: records that the target has as they should be
    accepted,  -- number of differences that a person accepted
    first_ids,  -- NetSuite ids, at most eight
    since,  -- when the oldest was seen first; of the totals: start of the shadow, UTC
    compared_at,  -- time of the newest comparison, UTC
    incumbent,  -- the connector that writes meanwhile
    is_shadowed  -- whether nothing is sent now
from (
    select workflow, cause, field, kind, evidence, records, null::bigint as alike, accepted, first_ids, since
    from differences
    union all by name
    select nights.workflow, records, alike, started_at as since
    from nights join periods on periods.workflow = nights.workflow and periods.number = nights.period
)
join (select workflow, compared_at from nights) using (workflow)
join (select workflow, incumbent, stopped_at is null as is_shadowed from periods) using (workflow)
order by workflow, cause nulls first, records desc
