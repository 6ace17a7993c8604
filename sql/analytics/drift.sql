/*
drift: Edits in a target of values that NetSuite decides on, and how each was handled.

grain   one row per workflow, source record and time at which drift was found
key     workflow, source, source_id, found_at
reads   sync_decisions
notes   A restored drift ends when the target has NetSuite's value again.
*/
create or replace view drift as
select
    workflow,  -- the workflow
    source,  -- kind of NetSuite record
    source_id,  -- NetSuite internal id
    target_id,  -- internal id of the target's record
    case reason_code when 'drift_reported' then 'reported' when 'drift_adopted' then 'adopted' else 'restored' end
        as policy,  -- how the workflow handles drift
    reason,  -- the edited fields, as text
    from_at as found_at,  -- time of the run that found it, UTC
    to_at as ended_at,  -- time at which it was resolved, UTC; null: still open
    from_run as found_by  -- run that found it
from sync_decisions
where reason_code in ('drift', 'drift_reported', 'drift_adopted')
