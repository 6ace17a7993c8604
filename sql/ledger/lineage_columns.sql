/*
lineage_columns: Which staging column each target field comes from.

grain   one row per workflow, target field and source column
key     workflow, source_table, target_field, source_column
reads
notes   Derived from the mapping expressions at every run; a constant has no source column.
*/
create table if not exists lineage_columns (
    workflow varchar,
    target varchar,
    target_field varchar,
    source_table varchar,
    source_column varchar,
    expression varchar,
    workflow_version varchar
)
