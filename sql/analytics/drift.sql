/*
drift: Edits in a target of values that NetSuite decides on, and how each was handled.

grain   one row per workflow, source record and time at which drift was found
key     workflow, source, source_id, found_at
reads   sync_decisions
notes   Includes edits of records that changed in NetSuite as well: `fields` has what was edited in the target. A restored
        drift ends when the target has NetSuite's value again.
*/
create or replace view drift as
select
    workflow,  -- the workflow
    source,  -- kind of NetSuite record
    source_id,  -- NetSuite internal id
    target_id,  -- internal id of the target's record
    case
        when reason_code = 'drift_reported' then 'reported'
        when reason_code = 'drift_adopted' then 'adopted'
        when action in ('update', 'reactivate') then 'restored'
        when action = 'deactivate' then 'deactivated'
        when action = 'unchanged' then 'left'
        else 'held back'
    end as policy,  -- restored, reported, adopted, deactivated or held back with the record, or left: it is inactive
    regexp_extract(reason, 'edited in the target[^:;]*: ([^;]*)', 1) as fields,  -- the edited fields
    reason,  -- the reason of the decision, which may have other causes as well
    from_at as found_at,  -- time of the run that found it, UTC
    to_at as ended_at,  -- time at which it was resolved, UTC; null: still open
    from_run as found_by  -- run that found it
from sync_decisions
where reason_code in ('drift', 'drift_reported', 'drift_adopted') or contains(reason, '; edited in the target: ')
