/*
stg_netsuite__contacts: Which contacts must be staged again.

grain   one row per NetSuite contact internal id, perhaps several times
key     id
reads   raw_netsuite__contacts, raw_netsuite__customers, raw_netsuite__leads, raw_netsuite__prospects,
        raw_netsuite__projects, raw_netsuite__contact_addresses
notes   `new_netsuite__…` holds the rows of a raw table that were written since the table was last staged.
        A changed address changes its contact. A contact has a customer or project from the moment on that it is there.
*/
select id from new_netsuite__contacts
union all
select entity from new_netsuite__contact_addresses
union all
select id from raw_netsuite__contacts where company in (
    select id from new_netsuite__customers
    union all
    select id from new_netsuite__leads
    union all
    select id from new_netsuite__prospects
    union all
    select id from new_netsuite__projects
)
