/*
target_links: Every linked record with the address of its page in the target.

grain   one row per workflow and source record
key     workflow, source, source_id
reads   sync_links, sync_addresses
notes   `copy (from target_links) to 'links.csv'` writes it to a file. The address is null where the workflow file has
        no `record_link`.
*/
create or replace view target_links as
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
