/*
changes_between: The values of customers and projects that changed between two times.

grain   one row per source record, column and change
key     source, source_id, column_name, changed_at
reads   hist_netsuite__customers, hist_netsuite__projects
notes   `from changes_between('2026-11-01', '2026-11-08')`: changes after the first time, up to and including the second,
        in UTC. A new record has no earlier value. Values are text.
*/
create or replace macro changes_between(since, until) as table (
with

customers as (
    from (
        select customer_id as source_id, valid_from, columns(* exclude (customer_id, valid_from, valid_to, is_current, modified_at))::varchar
        from hist_netsuite__customers
        semi join (
            select customer_id from hist_netsuite__customers
            where valid_from > cast(since as timestamp) and valid_from <= cast(until as timestamp)
        ) using (customer_id)
    ) unpivot include nulls (value for column_name in (columns(* exclude (source_id, valid_from))))
),

projects as (
    from (
        select project_id as source_id, valid_from, columns(* exclude (project_id, valid_from, valid_to, is_current, modified_at))::varchar
        from hist_netsuite__projects
        semi join (
            select project_id from hist_netsuite__projects
            where valid_from > cast(since as timestamp) and valid_from <= cast(until as timestamp)
        ) using (project_id)
    ) unpivot include nulls (value for column_name in (columns(* exclude (source_id, valid_from))))
),

compared as (
    select *, lag(value) over record as before, lag(valid_from) over record is null as is_new
    from (select 'customers' as source, * from customers union all select 'projects', * from projects)
    window record as (partition by source, source_id, column_name order by valid_from)
)

select valid_from as changed_at, source, source_id, is_new, column_name, before, value as after
from compared
where valid_from > cast(since as timestamp) and valid_from <= cast(until as timestamp) and before is distinct from value
order by changed_at, source, source_id, column_name
)
