/*
customers_as_of: The customers as they were at a time.

grain   one row per NetSuite customer that was there
key     customer_id
reads   hist_netsuite__customers
notes   `from customers_as_of('2026-11-01 12:00')`, in UTC. Nothing is known of the time before the first reading.
*/
create or replace macro customers_as_of(moment) as table (
select * exclude (valid_from, valid_to, is_current)
from hist_netsuite__customers
where valid_from <= cast(moment as timestamp) and (valid_to is null or valid_to > cast(moment as timestamp)) and not is_deleted
)
