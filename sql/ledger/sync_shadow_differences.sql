/*
sync_shadow_differences: Each difference between a target and what a shadowed workflow would write, with its cause.

grain   one row per workflow, record, field and time for which the same difference lasts
key     workflow, period, source, source_id, field, first_night
reads   nothing
notes   A cause is only given with its evidence; otherwise it is `unknown`. Fingerprints only: the values are in the mart and
        in the target state. Differences that ended are kept for 60 comparisons, those of earlier periods are not.
*/
create table if not exists sync_shadow_differences (
    workflow varchar,  -- workflow name
    period integer,  -- number of the period
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    target_id varchar,  -- internal id of the target's record; null: it has none
    field varchar,  -- field of the target record, or in parentheses what differs of the whole record
    wanted_hash varchar,  -- fingerprint of the value that we would write
    found_hash varchar,  -- fingerprint of the value that the target has
    cause varchar,  -- mapping_row, filter, timing, edited, incumbent_error or unknown
    kind varchar,  -- which evidence, as a code
    evidence varchar,  -- the evidence in words, without values of records
    first_night integer,  -- comparison that saw it first
    first_at timestamp,  -- when, UTC
    last_night integer,  -- comparison that saw it last
    last_at timestamp,  -- when, UTC
    changed_at timestamp,  -- NetSuite's time of the change that the target does not have, UTC; null: none is known
    is_open boolean,  -- whether the newest comparison still saw it
    accepted_by varchar,  -- name of the person who accepted it; null: no one
    accepted_at timestamp,  -- when, UTC
    accepted_note varchar  -- the person's reason
)
