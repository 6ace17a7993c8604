/*
stg_netsuite__customers: Ids of customers to stage again.

grain   one row per NetSuite customer internal id, with duplicates
key     id
reads   raw_netsuite__customers, raw_netsuite__leads, raw_netsuite__prospects, raw_netsuite__customer_subsidiaries,
        raw_netsuite__addresses, raw_netsuite__currencies, raw_netsuite__entity_statuses
notes   `new_netsuite__…` holds the rows of a raw table that were written after the table was last staged.
        A changed address or subsidiary changes its customer; a renamed currency or status, all customers with it.
*/
with

customers as (
    select id, currency, entitystatus from raw_netsuite__customers
    union all
    select id, currency, entitystatus from raw_netsuite__leads
    union all
    select id, currency, entitystatus from raw_netsuite__prospects
)

select id from new_netsuite__customers
union all
select id from new_netsuite__leads
union all
select id from new_netsuite__prospects
union all
select entity from new_netsuite__addresses
union all
select entity from new_netsuite__customer_subsidiaries
union all
select id from customers where currency in (select id from new_netsuite__currencies)
union all
select id from customers where entitystatus in (select key from new_netsuite__entity_statuses)
