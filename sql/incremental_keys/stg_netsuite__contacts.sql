/*
stg_netsuite__contacts: Ids of contacts to stage again.

grain   one row per NetSuite contact internal id, with duplicates
key     id
reads   raw_netsuite__contacts, raw_netsuite__customers, raw_netsuite__leads, raw_netsuite__prospects,
        raw_netsuite__projects, raw_netsuite__contact_addresses
notes   `new_netsuite__…` holds the rows of a raw table that were written after the table was last staged.
        A changed address changes its contact. A contact gets its customer or project when that record arrives.
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
