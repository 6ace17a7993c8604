/*
sync_import_selection: Records that people selected for import.

grain   one row per workflow and source record
key     workflow, source, source_id
reads   nothing
notes   Only for workflows with `imports: {select: selected}`. Ancestors of selected records are imported without a row.
        Imported records are kept up to date whether or not they are still selected.
*/
create table if not exists sync_import_selection (
    workflow varchar,  -- workflow name
    source varchar,  -- staging table without its prefix
    source_id varchar,  -- NetSuite internal id
    selected_by varchar,  -- id, search or all
    run_id varchar,  -- run in which it was selected
    selected_at timestamp  -- when, UTC
)
