/*
stg_builds: How far each staging table follows the raw tables that it is made of.

grain   one row per staging table and raw table
key     staging_table, raw_table
reads   nothing
notes   Written in the same transaction as the staging table. Rows of the raw table with a later `_extracted_at` are
        staged next time. Deleting rows makes the next run stage the whole table anew.
*/
create table if not exists stg_builds (
    staging_table varchar not null,  -- the staging table
    raw_table varchar not null,  -- a raw table that it reads
    through timestamp,  -- latest `_extracted_at` of the raw table that is staged, UTC; null: it was empty
    statement_hash varchar  -- fingerprint of the SQL; another one means that the whole table is staged anew
)
