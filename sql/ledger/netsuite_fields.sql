/*
netsuite_fields: The kind of each custom field, as last read from NetSuite's metadata catalog.

grain   one row per record type and custom field
key     record_type, field
reads   nothing
notes   Staging tables take their column types from here. A role that loses access to the catalog changes nothing.
*/
create table if not exists netsuite_fields (
    record_type varchar not null,  -- record type of the field: customers, projects, contacts
    field varchar not null,  -- NetSuite's name, in lower case
    kind varchar not null,  -- text, boolean, integer, number, date, date-time, reference, or references (several)
    seen_at timestamp,  -- when this kind was first seen, UTC, by the warehouse's clock
    run_id varchar  -- run that read it
)
