/*
record_versions: Every kept version of a record on all three sides: NetSuite's, what a workflow wanted, and the target's.

grain   one row per side, record and version
key     side, workflow, source, source_id, target_id, valid_from, from_position
reads   sync_readings
notes   `fields['company']` is a value of a version, as text. What is no field of the target is in parentheses:
        `(disposition)`, `(reason)`, `(parent)`, `(level)`, `(active)`, `(key)`. Times are those of readings, UTC; positions
        order the versions of a workflow, whatever the clocks showed. Versions that ended before
        MILLPOND_KEEP_HISTORY_DAYS are gone.
*/
create or replace view record_versions as
select
    side,  -- netsuite, desired (what the workflow wanted) or target
    workflow,  -- the workflow; null: a version of NetSuite's
    source,  -- kind of NetSuite record; null: a version of a target's record
    source_id,  -- NetSuite internal id; null: a version of a target's record
    target_id,  -- internal id of the target's record; null: another side
    valid_from,  -- when it was first read or made, UTC
    valid_to,  -- when it was first otherwise, or gone, UTC; null: it is current
    is_current,  -- whether it is the current version
    from_position,  -- place in the ledger's sequence from which it applies; null: NetSuite's
    to_position,  -- place from which it no longer applies; null: it is current, or NetSuite's
    fields,  -- its values by column or field, as text, without its key
    saved_at,  -- when NetSuite or the target says that it was last saved, as text
    cause,  -- of a desired version: netsuite, workflow_file, both, other or forgotten; null: a new record, or another side
    attempt_id,  -- attempt of ours that wrote it; null: no attempt explains it, or another side
    sent,  -- fields that the attempt wrote, as JSON; *: all of them
    is_after_restore,  -- whether a run that a restore of the warehouse has lost may have written it
    unseen_position,  -- place of the first listing that did not show it, and may leave records out; null: it was shown
    run_id  -- run that first read, made or wrote it; null: NetSuite's
from ({versions})
