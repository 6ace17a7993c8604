/*
sync_shadow_periods: The times in which a workflow only compares: another connector writes, and nothing is sent.

grain   one row per workflow and period
key     workflow, number
reads   nothing
notes   `millpond shadow start` writes a row and `millpond shadow stop` ends it. While a row has no end, the engine refuses
        to send anything of the workflow, whoever asks for it.
*/
create table if not exists sync_shadow_periods (
    workflow varchar,  -- workflow name
    number integer,  -- of the workflow's periods, from 1
    incumbent varchar,  -- the connector that writes meanwhile
    declared_s double,  -- seconds between two of its runs, as a person gave them; null: as observed
    started_by varchar,  -- name of the person who started the period
    started_at timestamp,  -- when, UTC
    stopped_by varchar,  -- name of the person who ended it; null: it goes on
    stopped_at timestamp,  -- when, UTC; null: it goes on
    note varchar,  -- the person's reason for its end
    off_by varchar,  -- name of the person who confirmed that the other connector is switched off
    off_at timestamp  -- when, UTC
)
