/*
sync_normalizations: Changes that a target makes to sent values without reporting them.

grain   one row per workflow, field and kind of change
key     workflow, field, kind
reads   nothing
notes   Learned from what the target returns. A record that differs only in a known way is not sent again.
*/
create table if not exists sync_normalizations (
    workflow varchar,  -- workflow name
    field varchar,  -- field of the target record
    kind varchar,  -- trimmed, case, spaces, cut, rounded, emptied or other
    records bigint,  -- records with this change
    first_run varchar,  -- first run with this change
    last_run varchar,  -- last run with this change
    last_at timestamp  -- when, UTC
)
