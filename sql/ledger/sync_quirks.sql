/*
sync_quirks: What a target silently makes of the values it is given.

grain   one row per workflow, field and kind of change
key     workflow, field, kind
reads   nothing
notes   Learned from what the target echoes or shows when read back. A record whose difference is of a known kind
        is not sent again and again.
*/
create table if not exists sync_quirks (
    workflow varchar,  -- the workflow
    field varchar,  -- field of the target record
    kind varchar,  -- trimmed, case, spaces, cut, rounded, emptied or other
    records bigint,  -- records on which it was seen
    first_run varchar,  -- the run that saw it first
    last_run varchar,  -- the run that saw it last
    last_at timestamp  -- when, UTC
)
