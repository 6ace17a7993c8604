/*
sync_inputs: What the mart and the target state of each workflow were made from.

grain   one row per table
key     table_name
reads   nothing
notes   Written in the same transaction as the table. A plan of a run that made neither compares them with the ledger,
        so that nothing is sent from a table that is out of date.
*/
create table if not exists sync_inputs (
    table_name varchar,  -- mart_<workflow> or target_<workflow>
    workflow varchar,  -- workflow name
    run_id varchar,  -- Dagster run that made the table
    position bigint,  -- of a target state: place in the ledger's sequence up to which it shows what was sent
    sources varchar  -- of a mart: fingerprint of what had been staged and delivered when it was made
)
