/*
target_links: Every linked record with the URL of its page in the target.

grain   one row per workflow and source record
key     workflow, source, source_id
reads   sync_links, sync_record_urls
notes   `copy (from target_links) to 'links.csv'` writes it to a file. The URL is null if the workflow file has no
        `record_url`.
*/
create or replace view target_links as
select
    links.workflow,  -- the workflow
    links.source,  -- staging table without its prefix
    links.source_id,  -- NetSuite internal id
    links.target,  -- kind of record in the target
    links.target_id,  -- internal id of the target's record
    links.matched_by,  -- how it was matched
    links.confirmed_at,  -- time of the last confirmation, UTC
    replace(urls.template, '{id}', links.target_id) as target_url  -- URL of the record's page
from sync_links as links
left join sync_record_urls as urls on urls.workflow = links.workflow
order by links.workflow, links.source, try_cast(links.source_id as bigint), links.source_id
