/*
stg_builds: How far each staging table has followed its raw tables.

grain   one row per staging table and raw table
key     staging_table, raw_table
reads   nothing
notes   Written in the same transaction as the staging table. Rows of the raw table with a later `_extracted_at` are
        staged next time. After rows are deleted, the next run rebuilds the whole staging table.
*/
create table if not exists stg_builds (
    staging_table varchar not null,  -- staging table
    raw_table varchar not null,  -- raw table that it reads
    through timestamp,  -- latest `_extracted_at` of the raw table that is staged, UTC; null: it was empty
    statement_hash varchar  -- fingerprint of the SQL; a different one means that the whole table is rebuilt
)
