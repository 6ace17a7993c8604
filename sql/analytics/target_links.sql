/*
target_links: Every linked record with the address of its page in the target.

grain   one row per workflow and source record
key     workflow, source, source_id
reads   sync_links, sync_addresses
notes   `from target_links()`; write it to a file with `copy (from target_links()) to 'links.csv'`. The address is
        null where the workflow file has no `record_link`.
        A table macro: it comes with the snapshot when the tables that it reads are there.
*/
create or replace macro target_links() as table (
select
    links.workflow,
    links.source,
    links.source_id,
    links.target,
    links.target_id,
    links.matched_by,
    links.confirmed_at,
    replace(addresses.template, '{id}', links.target_id) as target_url
from sync_links as links
left join sync_addresses as addresses on addresses.workflow = links.workflow
order by links.workflow, links.source, try_cast(links.source_id as bigint), links.source_id
)
