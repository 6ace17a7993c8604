/*
customers_as_of: The customers as of a past time.

grain   one row per NetSuite customer that existed
key     customer_id
reads   hist_netsuite__customers
notes   `from customers_as_of('2026-11-01 12:00')`, in UTC. There is no data from before the first extraction.
*/
create or replace macro customers_as_of(moment) as table (
select * exclude (valid_from, valid_to, is_current)
from hist_netsuite__customers
where valid_from <= cast(moment as timestamp) and (valid_to is null or valid_to > cast(moment as timestamp)) and not is_deleted
)
