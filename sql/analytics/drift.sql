/*
drift: What people edited in a target that NetSuite decides on, and what became of it.

grain   one row per workflow, source record and time that drift was found
key     workflow, source, source_id, found_at
reads   sync_decisions
notes   A drift that was restored ends when the target shows NetSuite's value again.
*/
create or replace view drift as
select
    workflow,  -- the workflow
    source,  -- kind of NetSuite record
    source_id,  -- NetSuite internal id
    target_id,  -- internal id of the target's record
    case reason_code when 'drift_reported' then 'reported' when 'drift_adopted' then 'adopted' else 'restored' end
        as policy,  -- what the workflow does about it
    reason,  -- which fields, in words
    from_at as found_at,  -- when a run found it, UTC
    to_at as ended_at,  -- when it was gone, UTC; null: still so
    from_run as found_by  -- the run that found it
from sync_decisions
where reason_code in ('drift', 'drift_reported', 'drift_adopted')
