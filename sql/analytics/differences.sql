/*
differences: Where a target is not as NetSuite wants it: field by field, and records that only one side has.

grain   one row per workflow, record and field that differs
key     workflow, source, source_id, target_id, field
reads   sync_links, sync_plans, sync_decisions, sync_runs, sync_inputs, netsuite_reads, lineage_columns
notes   Compares what was read, and says when each side was: a change since then is not in it. NetSuite's side is the mart,
        by the workflow file. Fields in parentheses are of whole records: `(not in the target)`, `(only in the target)`,
        `(still active)`. `is_planned`: a plan that can still be sent changes it; false as well for fields that are only
        written on creation or not monitored, and for records that are held back.
*/
create or replace view differences as
with

compared as ({compared}),

netsuite as (
    select record_type as source, max(netsuite_at) as netsuite_read_at
    from netsuite_reads
    group by record_type
),

targets as (
    select inputs.workflow, run.started_at as target_read_at
    from sync_inputs as inputs
    join sync_runs as run on run.run_id = inputs.run_id and run.workflow = inputs.workflow
    where inputs.table_name = 'target_' || inputs.workflow
),

decided as (select workflow, source, source_id, action, reason_code, reason from sync_decisions where to_run is null)

select
    compared.workflow,  -- the workflow
    compared.source,  -- kind of NetSuite record; null: only the target has the record
    compared.source_id,  -- NetSuite internal id; null: only the target has the record
    compared.target_id,  -- internal id of the target's record; null: the target does not have it
    compared.field,  -- field of the target record, or in parentheses what differs of the whole record
    compared.netsuite_value,  -- value by NetSuite and the workflow file
    compared.target_value,  -- value that the target had when it was read
    compared.is_planned,  -- whether the newest plan changes it, and was not sent yet
    decided.action,  -- last decision on the record
    decided.reason_code,  -- its reason, as a code
    decided.reason,  -- its reason, as text
    netsuite.netsuite_read_at,  -- NetSuite's time at the last reading of such records, UTC
    targets.target_read_at  -- start of the run that read the target, UTC; null: not known
from compared
left join decided using (workflow, source, source_id)
left join netsuite on netsuite.source = compared.source
left join targets on targets.workflow = compared.workflow
