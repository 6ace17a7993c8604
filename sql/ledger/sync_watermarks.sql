/*
sync_watermarks: How far each NetSuite table has been read.

grain   one row per NetSuite table
key     source_table
reads   nothing
notes   Written in the same transaction as the rows, so a crash repeats work and loses none. The next run reads what
        changed after watermark_at minus overlap_s. As long as NetSuite shows no change at all, watermark_at stays: a
        role that lost access to its rows sees no changes either.
*/
create table if not exists sync_watermarks (
    source_table varchar not null,  -- NetSuite's table
    watermark_at timestamp,  -- NetSuite's time before the first query, UTC
    overlap_s integer,  -- seconds that the next run reads again
    columns_hash varchar,  -- fingerprint of the columns and of custom fields' types; a different one means a full load
    zone_offset_s integer,  -- seconds by which the session's local time was ahead of UTC; null: unknown
    began_at timestamp,  -- start of this extraction, UTC, by the warehouse's clock
    run_id varchar,  -- run that wrote the rows
    updated_at timestamp,  -- when they were written, UTC, by the warehouse's clock
    reconciled_at timestamp  -- when all ids were last compared with NetSuite's, UTC, by the warehouse's clock
)
