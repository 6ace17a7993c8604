/*
sync_addresses: Where a person opens a record of the target, per workflow.

grain   one row per workflow
key     workflow
reads   nothing
notes   From `record_link` of the workflow file; each plan writes it afresh.
*/
create table if not exists sync_addresses (
    workflow varchar,  -- the workflow
    target varchar,  -- kind of record in the target
    template varchar  -- address of a record's page; {id} stands for its internal id
)
