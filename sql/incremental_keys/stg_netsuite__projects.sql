/*
stg_netsuite__projects: Ids of projects to stage again.

grain   one row per NetSuite job internal id, with duplicates
key     id
reads   raw_netsuite__projects, raw_netsuite__customers, raw_netsuite__leads, raw_netsuite__prospects,
        raw_netsuite__customer_subsidiaries, raw_netsuite__currencies
notes   `new_netsuite__…` holds the rows of a raw table that were written after the table was last staged.
        A record becomes a parent when it arrives, and a project has its customer's subsidiary.
*/
select id from new_netsuite__projects
union all
select id from raw_netsuite__projects where parent in (
    select id from new_netsuite__projects
    union all
    select id from new_netsuite__customers
    union all
    select id from new_netsuite__leads
    union all
    select id from new_netsuite__prospects
)
union all
select id from raw_netsuite__projects where customer in (
    select id from new_netsuite__customers
    union all
    select id from new_netsuite__leads
    union all
    select id from new_netsuite__prospects
    union all
    select entity from new_netsuite__customer_subsidiaries
)
union all
select id from raw_netsuite__projects where currency in (select id from new_netsuite__currencies)
