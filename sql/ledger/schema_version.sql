/*
schema_version: The schema versions that this warehouse has had.

grain   one row per version
key     version
reads   nothing
notes   The highest version is the current one. `millpond upgrade` writes a row in the same transaction as its changes.
*/
create table if not exists schema_version (
    version integer not null,  -- number of the migration that made this version; 1 is Millpond 0.1
    applied_at timestamp,  -- when, UTC, by the machine's clock
    millpond_version varchar  -- version of Millpond that wrote it
)
