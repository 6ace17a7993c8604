/*
projects_as_of: The projects as of a past time.

grain   one row per NetSuite project that existed
key     project_id
reads   hist_netsuite__projects
notes   `from projects_as_of('2026-11-01 12:00')`, in UTC. There is no data from before the first extraction.
*/
create or replace macro projects_as_of(moment) as table (
select * exclude (valid_from, valid_to, is_current)
from hist_netsuite__projects
where valid_from <= cast(moment as timestamp) and (valid_to is null or valid_to > cast(moment as timestamp)) and not is_deleted
)
