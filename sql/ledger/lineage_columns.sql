/*
lineage_columns: Which staging column each target field comes from.

grain   one row per workflow, target field and source column
key     workflow, source_table, target_field, source_column
reads   nothing
notes   Derived from the mapping expressions at every run; a constant has no source column.
*/
create table if not exists lineage_columns (
    workflow varchar,  -- the workflow
    target varchar,  -- kind of record in the target
    target_field varchar,  -- field of the target record
    source_table varchar,  -- staging table
    source_column varchar,  -- column of the staging table; null for a constant
    expression varchar,  -- the mapping row as the file says it
    workflow_version varchar  -- fingerprint of the workflow file
)
