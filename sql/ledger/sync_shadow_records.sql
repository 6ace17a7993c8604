/*
sync_shadow_records: What the last comparison of a shadowed workflow saw of each record, to recognize what changes.

grain   one row per workflow and source record
key     workflow, source, source_id
reads   nothing
notes   Replaced by each comparison. Fingerprints only: the values are in the mart and in the target state.
*/
create table if not exists sync_shadow_records (
    workflow varchar,  -- workflow name
    period integer,  -- number of the period
    night integer,  -- number of the comparison
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    target_id varchar,  -- internal id of the target's record
    source_hash varchar,  -- fingerprint of the source columns that the mapping reads
    wanted_hash varchar,  -- fingerprint of the values that we would write
    found_hash varchar,  -- fingerprint of the values that the target has
    differing varchar[]  -- fields that differ
)
