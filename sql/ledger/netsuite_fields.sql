/*
netsuite_fields: What kind of field each custom field is, as NetSuite's metadata catalogue told when it was last seen.

grain   one row per thing and custom field
key     thing, field
reads   nothing
notes   The staging tables take their types from here. A role that may no longer see the catalogue changes nothing.
*/
create table if not exists netsuite_fields (
    thing varchar not null,  -- what it is a field of: customers, projects, contacts
    field varchar not null,  -- NetSuite's name, in lower case
    kind varchar not null,  -- text, boolean, integer, number, date, date-time, reference, or references (several)
    told_at timestamp,  -- when this was first told so, UTC, by the warehouse's clock
    run_id varchar  -- the run that asked
)
