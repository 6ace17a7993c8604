/*
sync_accounts: The account that NetSuite's records came from, and per workflow the account that they are sent to.

grain   one row per workflow, and one named netsuite
key     name
reads   nothing
notes   Written with the first extraction and with the first delivery. Another account stops both until someone corrects
        the settings or runs `millpond rebind`.
*/
create table if not exists sync_accounts (
    name varchar not null,  -- workflow name, or netsuite
    account varchar,  -- what identifies the account, as JSON: host, company, account, field
    bound_at timestamp,  -- when, UTC
    run_id varchar  -- run that recorded it
)
