/*
sync_restores: Every restore of this warehouse from a backup.

grain   one row per restore
key     restore_id
reads   nothing
notes   What runs sent between the backup and the restore is not in this ledger. Until a full run of a workflow has
        finished after the restore, its records are recognized in the target again before anything is sent.
*/
create table if not exists sync_restores (
    restore_id varchar not null,  -- restore
    restored_at timestamp,  -- when, UTC, by the machine's clock
    backup_at timestamp,  -- when the backup was made, UTC
    position bigint,  -- place in the ledger's sequence at the time of the backup; later rows have a higher number
    reading bigint,  -- last reading of NetSuite in the backup; later ones have a higher number
    former varchar,  -- folder that has the files from before the restore
    unkeyed varchar  -- by workflow, the target's records without our key that were known in the backup, as JSON
)
