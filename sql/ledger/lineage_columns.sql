/*
lineage_columns: The staging columns that each target field comes from.

grain   one row per workflow, target field and source column
key     workflow, source_table, target_field, source_column
reads   nothing
notes   Derived from the mapping expressions in every run; a constant has no source column.
*/
create table if not exists lineage_columns (
    workflow varchar,  -- workflow name
    target varchar,  -- record type in the target
    target_field varchar,  -- field of the target record
    source_table varchar,  -- staging table
    source_column varchar,  -- column of the staging table; null for a constant
    expression varchar,  -- mapping row as written in the workflow file
    workflow_version varchar  -- fingerprint of the workflow file
)
