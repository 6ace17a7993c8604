/*
sync_record_urls: URL template of the target's record pages, per workflow.

grain   one row per workflow
key     workflow
reads   nothing
notes   From `record_url` of the workflow file; rewritten with every plan.
*/
create table if not exists sync_record_urls (
    workflow varchar,  -- workflow name
    target varchar,  -- record type in the target
    template varchar  -- URL of a record's page; {id} stands for its internal id
)
